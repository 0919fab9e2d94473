//! The driver itself: one worker that owns all tasks, with one transaction for all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::functions::Functions;
use crate::limits::Limits;
use crate::pass::memory::{OperatorState, Timed};
use crate::record::Batch;
use crate::restore;
use crate::store::{Backend, Cached, Overlay, Room, StoreId, Versions};
use crate::task::{Commit, DeadLetter, Effects, Progress, Reason, Task, TaskId};
use crate::time::Timestamp;
use crate::topology::description::Description;
use crate::topology::{Errors, Plan, StoreKind, TopicFacts, Topology, compile};

use super::shared::{Shared, TaskBackend};
use super::topics::{Input, Row, Topics, row_of};

/// A service under test.
pub struct Driver {
    pub(super) topology: Arc<Topology>,
    pub(super) plan: Arc<Plan>,
    pub(super) functions: Box<dyn Functions>,
    pub(super) limits: Limits,
    pub(super) topics: Topics,
    pub(super) tasks: Vec<Task>,
    /// Committed state of each task.
    backends: Vec<Shared>,
    /// So little that entries come and go.
    room: Room,
    global: Shared,
    /// Next offset to hand to each task's inputs.
    fed: BTreeMap<(TaskId, String), usize>,
    /// Committed positions with their metadata.
    positions: BTreeMap<(TaskId, String), (i64, String)>,
    pub(super) effects: Effects,
    dead_letters: Vec<DeadLetter>,
    pub(super) now: Timestamp,
    pub(super) holding: bool,
    pub(super) requests: u64,
}

impl Driver {
    /// The service on topics of `partitions` partitions each. Errors: all that is wrong with the
    /// topology.
    pub fn new(
        service: &str,
        description: &Description,
        partitions: u32,
        functions: impl Functions + 'static,
    ) -> Result<Driver, Errors> {
        let topics = BTreeMap::new();
        Driver::with(
            service,
            description,
            &topics,
            partitions,
            Limits::default(),
            Box::new(functions),
        )
    }

    /// As [`Driver::new`], with what is special about some topics, and other limits.
    pub fn with(
        service: &str,
        description: &Description,
        facts: &BTreeMap<String, TopicFacts>,
        partitions: u32,
        limits: Limits,
        functions: Box<dyn Functions>,
    ) -> Result<Driver, Errors> {
        Driver::of(
            compile(service, description)?,
            facts,
            partitions,
            limits,
            functions,
        )
    }

    /// As [`Driver::with`], for a topology that is compiled already.
    pub fn of(
        topology: Topology,
        facts: &BTreeMap<String, TopicFacts>,
        partitions: u32,
        limits: Limits,
        functions: Box<dyn Functions>,
    ) -> Result<Driver, Errors> {
        let topology = Arc::new(topology);
        let mut all = facts.clone();
        let named = [
            topology.source_topics(),
            topology.sink_topics(),
            topology.global_topics(),
        ];
        for topic in named.into_iter().flatten() {
            let usual = TopicFacts {
                partitions,
                max_message_bytes: 1_048_588,
                compacted: false,
                max_ahead_ms: None,
            };
            all.entry(topic.to_owned()).or_insert(usual);
        }
        let plan = Arc::new(topology.plan(&all)?);
        let backends = plan.tasks.iter().map(|_| Shared::default()).collect();
        let mut driver = Driver {
            topology,
            plan,
            functions,
            limits,
            topics: Topics::default(),
            tasks: Vec::new(),
            backends,
            room: Room::of(8 << 10),
            global: Shared::default(),
            fed: BTreeMap::new(),
            positions: BTreeMap::new(),
            effects: Effects::default(),
            dead_letters: Vec::new(),
            now: Timestamp(0),
            holding: false,
            requests: 0,
        };
        driver.start();
        Ok(driver)
    }

    /// The compiled topology.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A topic to write to.
    pub fn input(&mut self, topic: &str) -> Input<'_> {
        Input {
            driver: self,
            topic: topic.to_owned(),
            timestamp: None,
            partition: None,
            headers: Vec::new(),
        }
    }

    /// The rows that were committed to a topic since the last look, in the order in which they were
    /// produced.
    pub fn output(&mut self, topic: &str) -> Vec<Row> {
        self.topics.take_unread(topic)
    }

    /// Rows that failed since the last look.
    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead_letters)
    }

    /// How many rows were passed over for this reason since the last crash, by all tasks.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.dropped().count(reason))
            .sum()
    }

    /// The virtual wall clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the wall clock; what is due runs.
    pub fn advance(&mut self, milliseconds: i64) {
        self.now.0 += milliseconds;
        self.run();
    }

    /// From now on nothing is committed before [`Driver::commit`]; rows for other sub-topologies
    /// wait, too.
    pub fn hold_commits(&mut self) {
        self.holding = true;
    }

    /// Commits each round again, and what has been held back.
    pub fn release_commits(&mut self) {
        self.holding = false;
        self.run();
    }

    /// Lets the engine work until everything stands still.
    pub fn run(&mut self) {
        loop {
            self.feed_global_tables();
            let mut busy = self.feed();
            busy |= self.step();
            if self.holding {
                if !busy {
                    return;
                }
            } else if self.is_dirty() {
                self.commit();
            } else if !busy {
                return;
            }
        }
    }

    /// Ends the transaction: effects become rows, writes become committed state.
    pub fn commit(&mut self) {
        for number in 0..self.tasks.len() {
            let Commit {
                positions,
                changelog,
            } = self.tasks[number].prepare_commit();
            let id = self.tasks[number].id();
            let mut ends = Vec::new();
            for (store, rows) in changelog {
                let topic = self
                    .topology
                    .store(store)
                    .changelog
                    .topic()
                    .expect("only logged stores have rows")
                    .to_owned();
                self.append(&topic, &rows, &vec![id.partition; rows.len()]);
                let end = self.topics.end(&topic, id.partition);
                ends.push((store, i64::try_from(end).expect("a test has few rows")));
            }
            for (position, metadata) in positions {
                assert!(metadata.len() < 4096, "a broker takes no longer metadata");
                self.positions
                    .insert((id, position.topic), (position.offset, metadata));
            }
            self.tasks[number]
                .finish_commit(&ends)
                .expect("memory does not fail");
        }
        let effects = std::mem::take(&mut self.effects);
        for produce in effects.produce {
            self.append(&produce.topic, &produce.rows, &produce.partitions);
        }
        self.dead_letters.extend(effects.dead_letters);
    }

    /// The process dies: what was not committed never happened, and every task begins anew from
    /// what was.
    pub fn crash(&mut self) {
        self.effects = Effects::default();
        self.start();
        if !self.holding {
            self.run();
        }
    }

    /// The machine dies: as [`Driver::crash`], and the stores are restored from their changelogs.
    pub fn lose_state(&mut self) {
        for (task, backend) in self.plan.tasks.clone().into_iter().zip(&self.backends) {
            for (number, store) in self.topology.stores().iter().enumerate() {
                let id = StoreId(u32::try_from(number).expect("the number of stores is checked"));
                if store.subtopology != Some(task.subtopology) {
                    continue;
                }
                backend.lock().wipe(id).expect("memory does not fail");
                let Some(topic) = store.changelog.topic() else {
                    continue;
                };
                let until = match self.positions.get(&(task, topic.to_owned())) {
                    Some((offset, _)) => usize::try_from(*offset).expect("offsets begin at 0"),
                    None if matches!(store.changelog, crate::topology::Changelog::Source(_)) => 0,
                    None => self.topics.end(topic, task.partition),
                };
                let (rows, _) = self.topics.read(topic, task.partition, 0);
                let kept: Vec<u32> = (0..).take(until.min(rows.len())).collect();
                let writes = restore::writes(
                    &rows.select(&kept),
                    i64::try_from(until).expect("a test has few rows"),
                );
                backend
                    .lock()
                    .commit(&[(id, writes)])
                    .expect("memory does not fail");
            }
        }
        self.crash();
    }

    /// The committed entries of a store, over all its tasks, by the bytes of their keys.
    pub fn store(&self, name: &str) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
        let id = self
            .topology
            .store_named(name)
            .unwrap_or_else(|| panic!("no store is called `{name}`"));
        let mut entries = Vec::new();
        for backend in self.backends.iter().chain([&self.global]) {
            let range = crate::operator::half_open(None, None);
            let read = backend
                .lock()
                .range(id, range, &mut |key, value, timestamp| {
                    entries.push((key.to_vec(), value.to_vec(), timestamp));
                    std::ops::ControlFlow::Continue(())
                });
            read.expect("memory does not fail");
        }
        entries.sort();
        entries
    }

    /// The committed windows of an aggregate's store, over all tasks: key, start, value, timestamp.
    pub fn windows(&self, name: &str) -> Vec<(Vec<u8>, i64, Vec<u8>, i64)> {
        let mut windows = Vec::new();
        self.timed(name, &mut |timed, overlay| {
            let Timed::Windows(store) = timed else {
                panic!("store `{name}` has no windows")
            };
            let all = store.all(overlay).expect("memory does not fail");
            windows.extend(
                all.into_iter()
                    .map(|w| (w.key, w.start, w.value, w.timestamp)),
            );
        });
        windows.sort();
        windows
    }

    /// The committed sessions of an aggregate's store, over all tasks: key, start, end, value.
    pub fn sessions(&self, name: &str) -> Vec<(Vec<u8>, i64, i64, Vec<u8>)> {
        let mut sessions = Vec::new();
        self.timed(name, &mut |timed, overlay| {
            let Timed::Sessions(store) = timed else {
                panic!("store `{name}` has no sessions")
            };
            let all = store.all(overlay).expect("memory does not fail");
            sessions.extend(all.into_iter().map(|s| (s.key, s.start, s.end, s.value)));
        });
        sessions.sort();
        sessions
    }

    /// The committed latest versions of a versioned table's store, over all tasks: key, value,
    /// timestamp. Keys that are deleted are left out.
    pub fn versions(&self, name: &str) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
        let id = self.topology.store_named(name);
        let id = id.unwrap_or_else(|| panic!("no store is called `{name}`"));
        let StoreKind::Versioned { history_ms } = self.topology.store(id).kind else {
            panic!("store `{name}` has no versions")
        };
        let mut versions = Vec::new();
        self.overlays(&mut |overlay| {
            let latest = Versions::new(id, history_ms).latest(overlay);
            let latest = latest.expect("memory does not fail").into_iter();
            versions.extend(latest.map(|v| (v.key, v.value, v.timestamp)));
        });
        versions.sort();
        versions
    }

    fn timed(&self, name: &str, look: &mut dyn FnMut(&mut Timed, &mut Overlay)) {
        let id = self
            .topology
            .store_named(name)
            .unwrap_or_else(|| panic!("no store is called `{name}`"));
        let owner = self
            .topology
            .nodes()
            .iter()
            .find(|node| node.operation.writes().contains(&id));
        let owner = owner.unwrap_or_else(|| panic!("store `{name}` is no operator's own"));
        self.overlays(&mut |overlay| {
            look(
                &mut OperatorState::new(&self.topology, owner).timed,
                overlay,
            )
        });
    }

    /// Looks at the committed state of each task.
    fn overlays(&self, look: &mut dyn FnMut(&mut Overlay)) {
        let shared = vec![false; self.topology.stores().len()];
        for number in 0..self.tasks.len() {
            look(&mut Overlay::new(Box::new(self.backend(number)), &shared));
        }
    }

    pub(super) fn partitions(&self, topic: &str) -> u32 {
        *self
            .plan
            .partitions
            .get(topic)
            .unwrap_or_else(|| panic!("the service has nothing to do with topic `{topic}`"))
    }

    pub(super) fn backend(&self, task: usize) -> TaskBackend {
        let is_global = self
            .topology
            .stores()
            .iter()
            .map(|store| store.global)
            .collect();
        TaskBackend {
            own: self.backends[task].clone(),
            global: self.global.clone(),
            is_global,
        }
    }

    /// Builds all tasks from what is committed.
    fn start(&mut self) {
        self.fed.clear();
        self.tasks = (0..self.plan.tasks.len())
            .map(|number| {
                let (topology, plan) = (Arc::clone(&self.topology), Arc::clone(&self.plan));
                let id = self.plan.tasks[number];
                let backend = self.backend(number);
                let own: Vec<bool> = backend.is_global.iter().map(|global| !global).collect();
                let backend = Box::new(Cached::new(backend, own, &self.room));
                let mut task = Task::new(topology, plan, id, backend, self.limits.clone());
                for topic in task.inputs().to_vec() {
                    if let Some((offset, metadata)) = self.positions.get(&(id, topic.clone())) {
                        task.resume(&topic, *offset, metadata)
                            .expect("the driver keeps what the task wrote");
                        self.fed.insert(
                            (id, topic),
                            usize::try_from(*offset).expect("offsets begin at 0"),
                        );
                    }
                }
                task
            })
            .collect();
    }

    /// Hands new rows to tasks; whether there were any.
    fn feed(&mut self) -> bool {
        let mut any = false;
        for task in &mut self.tasks {
            for topic in task.inputs().to_vec() {
                let next = self.fed.entry((task.id(), topic.clone())).or_default();
                let (rows, offsets) = self.topics.read(&topic, task.id().partition, *next);
                *next += rows.len();
                any |= !rows.is_empty();
                task.enqueue(&topic, rows, offsets);
                task.reach_end(&topic);
            }
        }
        any
    }

    fn feed_global_tables(&mut self) {
        for (number, store) in self
            .topology
            .stores()
            .iter()
            .enumerate()
            .filter(|(_, store)| store.global)
        {
            let id = StoreId(u32::try_from(number).expect("the number of stores is checked"));
            let topic = store
                .changelog
                .topic()
                .expect("a global table has its topic");
            for partition in 0..self.plan.partitions[topic] {
                let (rows, _) = self.topics.read(topic, partition, 0);
                let end = i64::try_from(rows.len()).expect("a test has few rows");
                let writes = restore::writes(&rows, end);
                self.global
                    .lock()
                    .commit(&[(id, writes)])
                    .expect("memory does not fail");
            }
        }
    }

    /// Steps every task until none has a row that is ready; whether any had.
    fn step(&mut self) -> bool {
        let mut any = false;
        let mut turn: VecDeque<usize> = (0..self.tasks.len()).collect();
        while let Some(number) = turn.pop_front() {
            let progress =
                self.tasks[number].step(self.now, &mut *self.functions, &mut self.effects);
            if let Progress::Rows(_) = progress.expect("memory and closures do not fail") {
                any = true;
                turn.push_back(number);
            }
        }
        any
    }

    fn is_dirty(&self) -> bool {
        let effects = !self.effects.produce.is_empty() || !self.effects.dead_letters.is_empty();
        effects || self.tasks.iter().any(Task::has_uncommitted)
    }

    fn append(&mut self, topic: &str, rows: &Batch, partitions: &[u32]) {
        for (row, &partition) in partitions.iter().enumerate() {
            self.topics.append(topic, row_of(rows, row, partition));
        }
    }
}
