//! Rows of repartition topics that were read are of no more use: every now and then they are
//! deleted, as Kafka Streams does it.
//!
//! Never ahead of what the task has committed, and on a thread of its own, since brokers take their
//! time. What could not be deleted is tried again the next time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_core::task::{Position, TaskId};
use weir_core::topology::Subtopology;

use crate::kafka::Partition;
use crate::runtime::shared::Shared;

use super::tasks::Owned;

/// What a worker has deleted, and is about to.
pub(super) struct Purge {
    pub(super) interval: Duration,
    last: Instant,
    /// The first offset that is left of each partition.
    done: BTreeMap<Partition, i64>,
    running: Option<JoinHandle<Vec<Position>>>,
}

impl Purge {
    pub(super) fn new(interval: Duration) -> Purge {
        Purge {
            interval,
            last: Instant::now(),
            done: BTreeMap::new(),
            running: None,
        }
    }

    /// Whether it is time, and the one before has ended.
    fn is_due(&mut self) -> bool {
        if self.last.elapsed() < self.interval {
            return false;
        }
        match self.running.take_if(|thread| thread.is_finished()) {
            Some(ended) => {
                for deleted in ended.join().unwrap_or_default() {
                    let partition = Partition::new(deleted.topic, deleted.partition);
                    self.done.insert(partition, deleted.offset);
                }
                true
            }
            None => self.running.is_none(),
        }
    }

    /// Deletes what was read and committed of repartition topics, if it is time. Never waits.
    pub(super) fn run(
        &mut self,
        service: &Arc<Shared>,
        subtopologies: &[Subtopology],
        tasks: &BTreeMap<TaskId, Owned>,
    ) {
        if !self.is_due() {
            return;
        }
        self.last = Instant::now();
        let mut read = Vec::new();
        for (id, owned) in tasks {
            let Owned::Running(running) = owned else {
                continue;
            };
            let subtopology = &subtopologies[id.subtopology as usize];
            for source in subtopology.inputs.iter().filter(|input| input.repartition) {
                let Some(committed) = running.positions.get(&source.topic) else {
                    continue;
                };
                let partition = Partition::new(source.topic.as_str(), id.partition);
                let done = self.done.get(&partition).copied().unwrap_or(0);
                if committed.offset > done {
                    read.push(partition.at(committed.offset));
                }
            }
        }
        if read.is_empty() {
            return;
        }
        let shared = Arc::clone(service);
        let thread = std::thread::Builder::new().name(format!("{} purge", shared.name));
        let spawned = thread.spawn(move || match shared.host.cluster.delete_before(&read) {
            Ok(()) => read,
            Err(error) => {
                let service = &shared.name;
                tracing::info!(service, %error, "repartition topics are not trimmed this time");
                Vec::new()
            }
        });
        match spawned {
            Ok(thread) => self.running = Some(thread),
            Err(error) => tracing::warn!(%error, "no thread to trim repartition topics"),
        }
    }
}
