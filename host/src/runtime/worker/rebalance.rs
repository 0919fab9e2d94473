//! What the group says, and how a task comes and goes.
//!
//! Given up: the transaction ends first, then the task goes, then the group is told. Lost: the
//! same, but the transaction is aborted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::store::Backend;
use weir_core::task::{Task, TaskId};

use crate::kafka::{Committed, Error, Event, Partition};

use super::fault::Fault;
use super::session::Session;
use super::tasks::{Owned, Positions, Restoring, Running, inputs, starts};

/// How long one question for positions may take, while other tasks wait.
const QUESTION: Duration = Duration::from_millis(500);

/// How long positions are asked for in vain before the clients are taken for broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows of one changelog that are taken at once.
const RESTORE_ROWS: usize = 10_000;

impl Session<'_> {
    /// Follows what the group has decided.
    pub(super) fn follow_group(&mut self) -> Result<(), Fault> {
        while let Some(event) = self.membership.poll()? {
            let (service, worker) = (&self.worker.shared.name, self.worker.number);
            match event {
                Event::Assigned(numbers) => {
                    self.commit_or_abort()?;
                    let tasks = self.named(&numbers);
                    tracing::info!(service, worker, tasks = %shown(&tasks), "tasks assigned");
                    self.membership.acknowledge()?;
                    for id in tasks {
                        self.tasks.entry(id).or_insert(Owned::Assigned);
                    }
                }
                Event::Revoked(numbers) => {
                    let tasks = self.named(&numbers);
                    tracing::info!(service, worker, tasks = %shown(&tasks), "tasks revoked");
                    self.commit_or_abort()?;
                    self.drop_tasks(&tasks)?;
                    self.membership.acknowledge()?;
                }
                Event::Lost(numbers) => {
                    let tasks = self.named(&numbers);
                    tracing::warn!(service, worker, tasks = %shown(&tasks), "tasks lost");
                    self.abort("its tasks are another worker's already")?;
                    self.drop_tasks(&tasks)?;
                    self.membership.acknowledge()?;
                }
            }
        }
        Ok(())
    }

    /// The tasks that partitions of the tasks topic stand for; spare ones stand for none.
    fn named(&self, numbers: &[u32]) -> Vec<TaskId> {
        let tasks = &self.worker.site.plan.tasks;
        numbers
            .iter()
            .filter_map(|&number| tasks.get(number as usize).copied())
            .collect()
    }

    fn drop_tasks(&mut self, tasks: &[TaskId]) -> Result<(), Fault> {
        for &id in tasks {
            match self.tasks.remove(&id) {
                Some(Owned::Running(running)) => {
                    let of = |topic: &String| Partition::new(topic.as_str(), id.partition);
                    let partitions: Vec<Partition> = running.positions.keys().map(of).collect();
                    self.source.remove(&partitions)?;
                }
                Some(Owned::Restoring(restoring)) => self.reader.remove(&restoring.changelogs())?,
                Some(Owned::Assigned) | None => {}
            }
            self.gone(id);
        }
        Ok(())
    }

    /// Tells the rest of the host that a task is not here any more.
    pub(super) fn gone(&self, id: TaskId) {
        let shared = &self.worker.shared;
        shared.ownership.give_up(id, self.worker.number);
        if shared.ownership.worker_of(id).is_none() {
            shared.host.owners.release(&shared.name, id);
        }
        shared.watches.wake_all();
        shared.count_tasks();
    }

    /// Brings tasks that are not at work yet nearer to it. Whether there are any.
    pub(super) fn restore(&mut self) -> Result<bool, Fault> {
        if self
            .tasks
            .values()
            .all(|owned| matches!(owned, Owned::Running(_)))
        {
            return Ok(false);
        }
        self.locate()?;
        let mut rows = Vec::new();
        self.reader.poll(RESTORE_ROWS, &mut rows)?;
        let mut restored = 0;
        for owned in self.tasks.values_mut() {
            if let Owned::Restoring(restoring) = owned {
                for rows in &rows {
                    restored += restoring.take(rows)?;
                }
            }
        }
        self.worker
            .shared
            .meters
            .restored
            .increment(restored as u64);
        let reader = &self.reader;
        let complete: Vec<TaskId> = (self.tasks.iter_mut())
            .filter_map(|(id, owned)| match owned {
                Owned::Restoring(restoring) => restoring
                    .is_complete(|partition| reader.caught_up(partition))
                    .then_some(*id),
                _ => None,
            })
            .collect();
        for id in complete {
            self.begin(id)?;
        }
        Ok(true)
    }

    /// Asks for the positions of tasks that have just come.
    fn locate(&mut self) -> Result<(), Fault> {
        let assigned: Vec<TaskId> = (self.tasks.iter())
            .filter(|(_, owned)| matches!(owned, Owned::Assigned))
            .map(|(id, _)| *id)
            .collect();
        if assigned.is_empty() {
            return Ok(());
        }
        let (topology, site) = (Arc::clone(&self.blueprint.topology), &self.worker.site);
        let of = |id: &TaskId| inputs(&topology, &site.plan, *id);
        let partitions: Vec<Partition> = assigned.iter().flat_map(of).collect();
        let since = *self.locating.get_or_insert_with(Instant::now);
        let committed = match self.source.committed(&partitions, QUESTION) {
            Ok(committed) => committed,
            Err(error @ (Error::Pending { .. } | Error::Unreachable { .. }))
                if since.elapsed() < PATIENCE =>
            {
                tracing::debug!(%error, "positions are not known yet");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.locating = None;
        let new: Vec<Partition> = partitions
            .into_iter()
            .filter(|partition| !committed.contains_key(partition))
            .collect();
        let beginnings = self.worker.shared.host.cluster.beginnings(&new)?;
        for id in assigned {
            let position = |partition: Partition| {
                let committed = committed.get(&partition).cloned();
                let first = || beginnings.get(&partition).copied().unwrap_or(0);
                let new = || Committed {
                    offset: first(),
                    metadata: String::new(),
                };
                (partition.topic.clone(), committed.unwrap_or_else(new))
            };
            let positions: Positions = of(&id).into_iter().map(position).collect();
            let backend = site.database.task(id.partition, topology.stores());
            let backend = backend.map_err(|error| Fault::Fail(error.to_string()))?;
            let restoring = Restoring::new(&topology, id, backend, positions)?;
            self.tasks.insert(id, Owned::Restoring(restoring));
            self.read_changelogs(id)?;
        }
        Ok(())
    }

    /// Starts to read what a task's stores lack.
    fn read_changelogs(&mut self, id: TaskId) -> Result<(), Fault> {
        let Some(Owned::Restoring(restoring)) = self.tasks.get_mut(&id) else {
            return Ok(());
        };
        let mut asked = BTreeMap::new();
        loop {
            asked.clear();
            for lacking in restoring.stores.iter().filter(|lacking| !lacking.complete) {
                // Two stores of one topic: from the earlier offset on.
                let start = asked
                    .entry(lacking.changelog.clone())
                    .or_insert(lacking.start);
                *start = (*start).min(lacking.start);
            }
            let starts: Vec<_> = asked
                .iter()
                .map(|(partition, start)| (partition.clone(), *start))
                .collect();
            if starts.is_empty() {
                return Ok(());
            }
            match self.reader.add(&starts) {
                Err(Error::OutOfRange {
                    topic,
                    partition,
                    offset,
                    end,
                    ..
                }) => {
                    let service = &self.worker.shared.name;
                    tracing::warn!(
                        service,
                        topic,
                        partition,
                        offset,
                        end,
                        "the changelog ends before the store does: restored from its beginning"
                    );
                    let lost = Partition::new(topic, partition);
                    for lacking in restoring
                        .stores
                        .iter_mut()
                        .filter(|lacking| lacking.changelog == lost)
                    {
                        restoring.backend.wipe(lacking.store)?;
                        lacking.start = None;
                    }
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// A task's stores are whole: from now on it reads rows.
    fn begin(&mut self, id: TaskId) -> Result<(), Fault> {
        let Some(Owned::Restoring(restoring)) = self.tasks.remove(&id) else {
            return Ok(());
        };
        self.reader.remove(&restoring.changelogs())?;
        let Restoring {
            backend, positions, ..
        } = restoring;
        let topology = Arc::clone(&self.blueprint.topology);
        let site = &self.worker.site;
        let backend = Box::new(site.database.cached(backend, topology.stores()));
        let plan = Arc::clone(&site.plan);
        let mut task = Task::new(topology, plan, id, backend, self.limits.clone());
        for (topic, committed) in &positions {
            task.resume(topic, committed.offset, &committed.metadata)?;
        }
        self.source.add(&starts(id, &positions))?;
        let (held, dropped) = (BTreeSet::new(), BTreeMap::new());
        let running = Running {
            task,
            positions,
            held,
            dropped,
            handled: 0,
        };
        self.tasks.insert(id, Owned::Running(Box::new(running)));
        self.transaction.owe_positions();
        let shared = &self.worker.shared;
        tracing::info!(service = shared.name, worker = self.worker.number, task = %id, "task runs");
        shared.ownership.take(id, self.worker.number);
        shared.claim(id);
        shared.watches.wake_all();
        shared.count_tasks();
        Ok(())
    }
}

fn shown(tasks: &[TaskId]) -> String {
    tasks
        .iter()
        .map(TaskId::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}
