//! The loop of a worker: what changes in the group, rows in, steps, commands, a commit, and sleep.
//!
//! Nothing in it waits but the end of a transaction; whoever has something for the worker rings its
//! mailbox.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::limits::Limits;
use weir_core::task::{Effects, Task, TaskId};
use weir_core::time::Timestamp;

use crate::kafka::{Error, Membership, Partition, Producer, Reader, Rows, Source, Wake};
use crate::runtime::blueprint::Blueprint;
use crate::runtime::clock;
use crate::runtime::letter::{Asked, Letter};
use crate::runtime::program::{Guest, Moment};

use super::Worker;
use super::fault::Fault;
use super::purge::Purge;
use super::tasks::{Owned, Running, starts};
use super::transaction::Transaction;

/// How long a worker without anything to do sleeps.
const IDLE: Duration = Duration::from_secs(1);

/// How long it sleeps while stores are restored or positions are waited for: not everything wakes
/// it then.
const RESTORING: Duration = Duration::from_millis(10);

/// Aborts in a row after which the clients are made anew.
const MAX_ABORTS: u32 = 30;

/// A worker's clients and tasks.
pub(super) struct Session<'w> {
    pub(super) worker: &'w Worker,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) limits: Limits,
    pub(super) guest: Box<dyn Guest>,
    pub(super) membership: Membership,
    pub(super) source: Source,
    pub(super) reader: Reader,
    pub(super) producer: Producer,
    pub(super) tasks: BTreeMap<TaskId, Owned>,
    /// The sub-topology that reads each topic.
    pub(super) homes: HashMap<String, u32>,
    /// Commands that wait for their task.
    pub(super) queue: &'w mut VecDeque<Asked>,
    pub(super) transaction: Transaction,
    pub(super) effects: Effects,
    pub(super) purge: Purge,
    /// Since when positions are asked for in vain.
    pub(super) locating: Option<Instant>,
    polled: Vec<Rows>,
    /// The first tasks that the group gave it run.
    up: bool,
    /// When a task wants to be stepped though nothing comes.
    alarm: Option<Timestamp>,
}

impl<'w> Session<'w> {
    /// Makes the clients. Waits for the brokers, and for the end of what a former session left
    /// open.
    pub(super) fn open(
        worker: &'w Worker,
        queue: &'w mut VecDeque<Asked>,
    ) -> Result<Session<'w>, Fault> {
        let (shared, site) = (&worker.shared, &worker.site);
        let cluster = &shared.host.cluster;
        let mailbox = Arc::clone(&worker.mailbox);
        let wake: Wake = Arc::new(move || mailbox.ring());
        let identity = worker.identity();
        let blueprint = shared.blueprint();
        let guest = blueprint.program.instance().map_err(Fault::Fail)?;
        let producer = Producer::open(cluster, &identity, site.batch_bytes)?;
        let internal = site.internal_bytes.keys().map(String::as_str);
        producer.meet(internal.chain(blueprint.topology.sink_topics()))?;
        let homes = blueprint
            .topology
            .subtopologies()
            .iter()
            .flat_map(|subtopology| {
                let topic = |source: &weir_core::topology::Source| {
                    (source.topic.clone(), subtopology.number)
                };
                subtopology.inputs.iter().map(topic)
            });
        Ok(Session {
            homes: homes.collect(),
            worker,
            limits: blueprint.limits(),
            guest,
            membership: Membership::join(cluster, &shared.name, &identity, Arc::clone(&wake))?,
            source: Source::open(cluster, &shared.name, Arc::clone(&wake))?,
            reader: Reader::new(cluster, wake),
            producer,
            tasks: BTreeMap::new(),
            queue,
            transaction: Transaction::new(&blueprint.settings),
            purge: Purge::new(blueprint.settings.purge_interval),
            blueprint,
            effects: Effects::default(),
            locating: None,
            polled: Vec::new(),
            up: false,
            alarm: None,
        })
    }

    /// Works until the service stops, and leaves the group. On a fault all tasks are given up, and
    /// what is open is aborted; the membership waits for the next session.
    pub(super) fn work(mut self) -> Result<(), Fault> {
        let done = self.turns();
        let reason = match &done {
            Ok(()) => "the service stops".to_owned(),
            Err(
                Fault::Abort(reason)
                | Fault::Restart(reason)
                | Fault::Fenced(reason)
                | Fault::Fail(reason),
            ) => reason.clone(),
        };
        self.transaction.give_up(&reason);
        if let Err(error) = self.producer.abort() {
            // The next session's producer, or the transaction's time-out, will end it.
            tracing::debug!(%error, "abort at the end of a session");
        }
        for id in std::mem::take(&mut self.tasks).into_keys() {
            self.gone(id);
        }
        if done.is_ok() {
            self.membership.leave(&self.worker.shared.host.cluster);
        }
        done
    }

    fn turns(&mut self) -> Result<(), Fault> {
        let mut aborts = 0_u32;
        while !self.worker.stopping() {
            match self.turn() {
                Ok(()) if self.transaction.is_clean() => aborts = 0,
                Ok(()) => {}
                Err(Fault::Abort(reason)) => {
                    aborts += 1;
                    if aborts > MAX_ABORTS {
                        return Err(Fault::Restart(reason));
                    }
                    self.abort(&reason)?;
                    // Each rebalance causes some; whatever else it is, it shall not spin.
                    std::thread::sleep(Duration::from_millis(u64::from(aborts) * 5));
                }
                Err(fault) => return Err(fault),
            }
        }
        match self.commit() {
            Err(Fault::Abort(reason)) => {
                tracing::info!(reason, "the last transaction is aborted");
                Ok(())
            }
            done => done,
        }
    }

    fn turn(&mut self) -> Result<(), Fault> {
        self.read_letters()?;
        self.follow_group()?;
        let restoring = self.restore()?;
        if !self.up && !restoring && self.membership.has_joined() {
            self.up = true;
            self.worker.shared.interrupted(self.worker.number, None);
        }
        let mut busy = self.fetch()?;
        busy |= self.step()?;
        busy |= self.decide()?;
        if self.commit_is_due(!busy) {
            self.commit()?;
        }
        let service = &self.worker.shared;
        let subtopologies = self.blueprint.topology.subtopologies();
        self.purge.run(service, subtopologies, &self.tasks);
        if !busy {
            self.producer.send();
            let longest = if restoring { RESTORING } else { IDLE };
            self.worker.mailbox.sleep(self.time_to_sleep().min(longest));
        }
        Ok(())
    }

    fn read_letters(&mut self) -> Result<(), Fault> {
        for letter in self.worker.mailbox.take() {
            match letter {
                Letter::Command(asked) => self.queue.push_back(asked),
                Letter::Swap(blueprint, done) => {
                    self.swap(blueprint)?;
                    let _nobody_waits = done.send(());
                }
            }
        }
        Ok(())
    }

    /// Takes another version: between two transactions, with everything else as it is.
    fn swap(&mut self, blueprint: Arc<Blueprint>) -> Result<(), Fault> {
        let guest = blueprint.program.instance().map_err(Fault::Fail)?;
        self.commit_or_abort()?;
        self.guest = guest;
        for owned in self.tasks.values_mut() {
            if let Owned::Running(running) = owned {
                running.task.swap(Arc::clone(&blueprint.topology));
            }
        }
        self.limits = blueprint.limits();
        self.transaction.take_settings(&blueprint.settings);
        self.purge.interval = blueprint.settings.purge_interval;
        self.blueprint = blueprint;
        Ok(())
    }

    /// Takes rows that have come. Whether there were any.
    fn fetch(&mut self) -> Result<bool, Fault> {
        let mut polled = std::mem::take(&mut self.polled);
        let more = match self.source.poll(self.limits.max_batch_rows, &mut polled) {
            Ok(more) => more,
            Err(Error::OutOfRange {
                topic,
                partition,
                offset,
                first,
                end,
            }) if first > offset => {
                let service = &self.worker.shared.name;
                tracing::error!(
                    service,
                    topic,
                    partition,
                    offset,
                    first,
                    end,
                    "rows are gone before they were read: goes on with the first that is there"
                );
                self.source
                    .rewind(&[Partition::new(topic, partition).at(first)])?;
                true
            }
            Err(error) => return Err(error.into()),
        };
        let busy = more || !polled.is_empty();
        for rows in polled.drain(..) {
            let Some(id) = self.task_reading(&rows.topic, rows.partition) else {
                continue;
            };
            let (service, count) = (&self.worker.shared.name, rows.offsets.len());
            tracing::trace!(service, task = %id, topic = %rows.topic, count, "fetched");
            // Rows of a task that is no longer owned may still come: they are dropped.
            if let Some(Owned::Running(running)) = self.tasks.get_mut(&id) {
                running.task.enqueue(&rows.topic, rows.rows, rows.offsets);
            }
        }
        self.polled = polled;
        for Partition { topic, number } in self.source.take_ended() {
            let id = self.task_reading(&topic, number);
            let owned = id.and_then(|id| self.tasks.get_mut(&id));
            if let Some(Owned::Running(running)) = owned {
                running.task.reach_end(&topic);
            }
        }
        Ok(busy)
    }

    /// The task that reads a partition.
    fn task_reading(&self, topic: &str, partition: u32) -> Option<TaskId> {
        let &subtopology = self.homes.get(topic)?;
        Some(TaskId {
            subtopology,
            partition,
        })
    }

    /// One batch of each task. Whether any had rows.
    fn step(&mut self) -> Result<bool, Fault> {
        let mut busy = false;
        self.alarm = None;
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in ids {
            let now = clock::now();
            let Some(Owned::Running(running)) = self.tasks.get_mut(&id) else {
                continue;
            };
            self.guest.enter(moment(running, now));
            let progress = running
                .task
                .step(now, self.guest.as_mut(), &mut self.effects);
            if progress.is_err() || running.task.has_uncommitted() {
                self.transaction.touch(id);
            }
            if running.task.has_writes() {
                self.transaction.begin();
            }
            let progress = progress?;
            let mut alarm = running.task.next_wall_clock();
            match progress {
                weir_core::task::Progress::Rows(rows) => {
                    busy = true;
                    running.handled += rows as u64;
                    self.worker.shared.meters.rows.increment(rows as u64);
                }
                weir_core::task::Progress::Waiting { until } => {
                    alarm = alarm.into_iter().chain(until).min();
                }
                weir_core::task::Progress::Idle => {}
            }
            self.alarm = self.alarm.into_iter().chain(alarm).min();
            hold_back(running, &mut self.source, &self.limits);
            self.carry_out()?;
        }
        Ok(busy)
    }

    fn time_to_sleep(&self) -> Duration {
        let alarm = self.alarm.map(clock::until);
        let commit = self.transaction.time_to_commit();
        alarm.into_iter().chain(commit).min().unwrap_or(IDLE)
    }

    /// Takes the dirty tasks back to what they have committed.
    pub(super) fn rebuild(&mut self, id: TaskId) -> Result<(), Fault> {
        let (shared, site) = (&self.worker.shared, &self.worker.site);
        let Some(Owned::Running(running)) = self.tasks.remove(&id) else {
            return Ok(());
        };
        let Running {
            task, positions, ..
        } = *running;
        // Two of them must not stand over the same state.
        drop(task);
        let topology = &self.blueprint.topology;
        let backend = site.database.task(id.partition, topology.stores());
        let backend = backend.map_err(|error| Fault::Fail(error.to_string()))?;
        let backend = site.database.cached(backend, topology.stores());
        let plan = Arc::clone(&site.plan);
        let mut task = Task::new(
            Arc::clone(topology),
            plan,
            id,
            Box::new(backend),
            self.limits.clone(),
        );
        for (topic, committed) in &positions {
            task.resume(topic, committed.offset, &committed.metadata)?;
        }
        self.source.rewind(&starts(id, &positions))?;
        let running = Running {
            task,
            positions,
            held: Default::default(),
            dropped: BTreeMap::new(),
            handled: 0,
        };
        self.tasks.insert(id, Owned::Running(Box::new(running)));
        tracing::debug!(service = shared.name, task = %id, "back to what is committed");
        Ok(())
    }
}

/// Where and when a task's functions are called. Rows are told apart by their position, so that a
/// replay of the same batches calls them just so; a punctuation without rows by the wall clock.
fn moment(running: &Running, now: Timestamp) -> Moment {
    let (task, positions) = (&running.task, &running.positions);
    let read: u64 = positions.values().map(|at| at.offset.unsigned_abs()).sum();
    let rows = positions.keys().any(|topic| task.buffered(topic) > 0);
    let place = if rows {
        read + running.handled
    } else {
        now.0.unsigned_abs()
    };
    let id = task.id();
    let name = (u64::from(id.subtopology) << 48) ^ (u64::from(id.partition) << 32);
    Moment {
        time: task.stream_time().0.max(0),
        seed: (name ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15),
    }
}

/// Holds inputs back of which too much waits, and lets the others go on.
fn hold_back(running: &mut Running, source: &mut Source, limits: &Limits) {
    let partition = running.task.id().partition;
    for topic in running.positions.keys() {
        let full = running.task.buffered(topic) >= limits.max_buffered_rows
            || running.task.buffered_bytes(topic) >= limits.max_buffered_bytes;
        if full != running.held.contains(topic) {
            source.hold(&Partition::new(topic.as_str(), partition), full);
            if full {
                running.held.insert(topic.clone());
            } else {
                running.held.remove(topic);
            }
        }
    }
}
