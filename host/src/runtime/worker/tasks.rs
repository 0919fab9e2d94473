//! A worker's tasks, from the moment on when the group gives them to it.
//!
//! Located: their committed positions are asked for, which waits while a dead owner's transaction
//! is open. Restoring: their stores are made whole from the changelogs. Running: only then they
//! read rows.

use std::collections::{BTreeMap, BTreeSet};

use weir_core::restore;
use weir_core::store::{Backend, StoreId};
use weir_core::task::{Position, Task, TaskId};
use weir_core::topology::{Changelog, Plan, Topology};

use crate::kafka::{Committed, Partition, Rows};
use crate::state::TaskState;

use super::fault::Fault;

/// The next offset to read of each input topic.
pub(super) type Positions = BTreeMap<String, Committed>;

/// A task that this worker owns.
pub(super) enum Owned {
    /// Its positions are not known yet.
    Assigned,
    /// Its stores are being made whole.
    Restoring(Restoring),
    /// It is at work.
    Running(Box<Running>),
}

/// A task whose stores are being made whole.
pub(super) struct Restoring {
    pub(super) backend: TaskState,
    pub(super) positions: Positions,
    pub(super) stores: Vec<Incomplete>,
}

/// A store that lacks rows of its changelog.
pub(super) struct Incomplete {
    pub(super) store: StoreId,
    pub(super) changelog: Partition,
    /// The first offset that it lacks; `None`: all.
    pub(super) start: Option<i64>,
    /// Where to stop: a table reads its source topic no further than the task has committed.
    /// `None`: at the end.
    pub(super) until: Option<i64>,
    pub(super) complete: bool,
}

/// A task at work.
pub(super) struct Running {
    pub(super) task: Task,
    /// As they were committed last.
    pub(super) positions: Positions,
    /// Inputs that are held back, since too many of their rows wait.
    pub(super) held: BTreeSet<String>,
    /// Rows that were handled since it was committed last.
    pub(super) handled: u64,
    /// Rows passed over, as they were last told to the meters.
    pub(super) dropped: BTreeMap<(u32, String), u64>,
}

impl Restoring {
    /// What the task's stores lack. Stores without a changelog are wiped: nobody knows what another
    /// owner did to them.
    pub(super) fn new(
        topology: &Topology,
        id: TaskId,
        mut backend: TaskState,
        positions: Positions,
    ) -> Result<Restoring, Fault> {
        let mut stores = Vec::new();
        for &store in &topology.subtopologies()[id.subtopology as usize].stores {
            let start = backend.changelog_end(store)?;
            let (topic, until) = match &topology.store(store).changelog {
                Changelog::None => {
                    backend.wipe(store)?;
                    continue;
                }
                Changelog::Own(topic) => (topic, None),
                Changelog::Source(topic) => match positions.get(topic) {
                    Some(committed) => (topic, Some(committed.offset)),
                    None => continue,
                },
            };
            let complete = until.is_some_and(|until| start.unwrap_or(0) >= until);
            let changelog = Partition::new(topic.as_str(), id.partition);
            stores.push(Incomplete {
                store,
                changelog,
                start,
                until,
                complete,
            });
        }
        Ok(Restoring {
            backend,
            positions,
            stores,
        })
    }

    /// Takes rows of a changelog. Returns how many were of use.
    pub(super) fn take(&mut self, rows: &Rows) -> Result<usize, Fault> {
        let mut taken = 0;
        for lacking in &mut self.stores {
            let changelog = &lacking.changelog;
            if lacking.complete
                || changelog.number != rows.partition
                || *changelog.topic != *rows.topic
            {
                continue;
            }
            let until = lacking.until.unwrap_or(i64::MAX);
            let count = rows.offsets.partition_point(|&offset| offset < until);
            lacking.complete =
                count < rows.offsets.len() || rows.offsets.last() == Some(&(until - 1));
            if count == 0 {
                continue;
            }
            let next = rows.offsets[count - 1] + 1;
            let writes = if count == rows.rows.len() {
                restore::writes(&rows.rows, next)
            } else {
                restore::writes(&rows.rows.slice(0..count), next)
            };
            self.backend.commit(&[(lacking.store, writes)])?;
            taken += count;
        }
        Ok(taken)
    }

    /// Whether all stores are whole; `caught_up` tells of a changelog that all was read.
    pub(super) fn is_complete(&mut self, caught_up: impl Fn(&Partition) -> bool) -> bool {
        for lacking in &mut self.stores {
            lacking.complete |= caught_up(&lacking.changelog);
        }
        self.stores.iter().all(|lacking| lacking.complete)
    }

    /// The changelogs that were to be read.
    pub(super) fn changelogs(&self) -> Vec<Partition> {
        self.stores
            .iter()
            .map(|lacking| lacking.changelog.clone())
            .collect()
    }
}

/// The input partitions of a task: a topic may have fewer partitions than the task's sub-topology
/// has tasks.
pub(super) fn inputs(topology: &Topology, plan: &Plan, id: TaskId) -> Vec<Partition> {
    let inputs = &topology.subtopologies()[id.subtopology as usize].inputs;
    let there = inputs
        .iter()
        .filter(|source| plan.partitions[&source.topic] > id.partition);
    there
        .map(|source| Partition::new(source.topic.as_str(), id.partition))
        .collect()
}

/// Where to start to read.
pub(super) fn starts(id: TaskId, positions: &Positions) -> Vec<Position> {
    let at = |(topic, committed): (&String, &Committed)| Position {
        topic: topic.clone(),
        partition: id.partition,
        offset: committed.offset,
    };
    positions.iter().map(at).collect()
}
