//! The rows of a worker's tasks.
//!
//! A consumer of the service's group that is no member of it: its partitions are assigned by hand,
//! in step with what the membership says. It reads committed rows only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;
use weir_core::task::Position;

use super::cluster::Cluster;
use super::context::Wake;
use super::error::Error;
use super::lanes::{Lanes, Partition, Polled, Rows};

/// Bytes of one partition's rows that one poll takes at most, give or take a row. They become a
/// batch, which is copied into the guest and out of it: in the processor's cache, so long as it is
/// small.
const MAX_BYTES: usize = 256 << 10;

/// A worker's inputs.
pub struct Source {
    cluster: Arc<Cluster>,
    lanes: Lanes,
}

/// What a former transaction said of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// What the task wants back.
    pub metadata: String,
}

impl Source {
    /// Makes the consumer; it reads nothing yet. `wake` is called when rows have come.
    pub fn open(cluster: &Arc<Cluster>, group: &str, wake: Wake) -> Result<Source, Error> {
        let lanes = Lanes::open(&cluster.settings().consumer(group), wake)?;
        Ok(Source {
            cluster: cluster.clone(),
            lanes,
        })
    }

    /// Where the group has committed; partitions without a commit are left out. Ask for it after a
    /// rebalance only, since it waits, up to `timeout`, while a dead owner's transaction is open.
    /// Errors: [`Error::Pending`] when it still is.
    pub fn committed(
        &self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<BTreeMap<Partition, Committed>, Error> {
        const DOING: &str = "asking where the group has committed";
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.raw());
        }
        let context = self.lanes.consumer().client().context();
        let _stale = context.trouble();
        let found = self
            .lanes
            .consumer()
            .committed_offsets(list, timeout)
            .map_err(
                |error| match (Error::of(DOING, &error), context.trouble()) {
                    (Error::Unreachable { doing, .. }, None) => Error::Pending { doing },
                    (Error::Unreachable { doing, reason }, Some(trouble)) => Error::Unreachable {
                        doing,
                        reason: format!("{reason}: {trouble}"),
                    },
                    (error, _) => error,
                },
            )?;
        let mut committed = BTreeMap::new();
        for element in found.elements() {
            element.error().map_err(|error| Error::of(DOING, &error))?;
            if let Offset::Offset(offset) = element.offset() {
                let partition = Partition::of_raw(element.topic(), element.partition());
                committed.insert(
                    partition,
                    Committed {
                        offset,
                        metadata: element.metadata().to_owned(),
                    },
                );
            }
        }
        Ok(committed)
    }

    /// Starts to read these partitions from these offsets on. They must not be read already.
    pub fn add(&mut self, starts: &[Position]) -> Result<(), Error> {
        self.lanes.add(starts)
    }

    /// Stops to read these partitions; no row of them comes any more.
    pub fn remove(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        self.lanes.remove(partitions)
    }

    /// Reads these partitions again from these offsets on, after an abort.
    pub fn rewind(&mut self, starts: &[Position]) -> Result<(), Error> {
        let partitions: Vec<Partition> = starts
            .iter()
            .map(|start| Partition::new(start.topic.as_str(), start.partition))
            .collect();
        self.lanes.remove(&partitions)?;
        self.lanes.add(starts)
    }

    /// Holds a partition back, or lets it go on. What was fetched of it is kept.
    pub fn hold(&mut self, partition: &Partition, held: bool) {
        self.lanes.hold(partition, held);
    }

    /// What is read, whether held or not.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + '_ {
        self.lanes.partitions()
    }

    /// The partitions that have come to their end since this was last asked: what was committed
    /// there when the broker was last asked has been given by `poll`. Holds until more comes.
    pub fn take_ended(&mut self) -> Vec<Partition> {
        self.lanes.take_ended()
    }

    /// Takes the rows that are there, up to `max_rows` of each partition, and never waits. `true`:
    /// there may be more. Errors: [`Error::OutOfRange`] where retention, or a topic made anew, has
    /// taken rows that were not read.
    pub fn poll(&mut self, max_rows: usize, into: &mut Vec<Rows>) -> Result<bool, Error> {
        match self.lanes.poll(max_rows, MAX_BYTES, into)? {
            Polled::Drained => Ok(false),
            Polled::More => Ok(true),
            Polled::OutOfRange(partition, offset) => {
                Err(out_of_range(&self.cluster, partition, offset))
            }
        }
    }
}

/// The error for an offset that is not there, with what is there.
pub(super) fn out_of_range(cluster: &Cluster, partition: Partition, offset: i64) -> Error {
    let asked = std::slice::from_ref(&partition);
    let bound = |found: Result<BTreeMap<Partition, i64>, Error>| {
        found
            .ok()
            .and_then(|bounds| bounds.get(&partition).copied())
            .unwrap_or(-1)
    };
    let (first, end) = (bound(cluster.beginnings(asked)), bound(cluster.ends(asked)));
    Error::OutOfRange {
        topic: partition.topic,
        partition: partition.number,
        offset,
        first,
        end,
    }
}
