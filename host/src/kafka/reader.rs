//! Topics that are read whole: changelogs when a task is restored, the topics of global tables, the
//! cluster's own topics.
//!
//! A partition has *caught up* when everything that was in it when it was added has been given,
//! whatever transactions were open then: the reader first waits until they are decided. It goes on
//! reading after that, until the partition is removed. The client is there only as long as anything
//! is read: most workers have nothing to restore most of the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::topic_partition_list::Offset;
use weir_core::task::Position;

use super::cluster::{Cluster, offsets};
use super::context::Wake;
use super::error::Error;
use super::lanes::{Lanes, Partition, Polled, Rows};
use super::source::out_of_range;

/// Bytes of one partition's rows that one poll takes at most, give or take a row.
const MAX_BYTES: usize = 8 << 20;

/// How often partitions with open transactions are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Reads partitions from an offset to their end, and on.
pub struct Reader {
    cluster: Arc<Cluster>,
    wake: Wake,
    lanes: Option<Lanes>,
    waiting: Vec<Waiting>,
    looked: Option<Instant>,
    caught_up: Vec<Partition>,
}

/// A partition of which rows up to `end` are not all decided yet.
struct Waiting {
    start: Position,
    end: i64,
}

impl Reader {
    /// A reader of nothing yet. `wake` is called when rows have come.
    pub fn new(cluster: &Arc<Cluster>, wake: Wake) -> Reader {
        Reader {
            cluster: Arc::clone(cluster),
            wake,
            lanes: None,
            waiting: Vec::new(),
            looked: None,
            caught_up: Vec::new(),
        }
    }

    /// Starts to read these partitions, each from its offset, or from its first row for `None` or
    /// an offset before it. Errors: [`Error::OutOfRange`] for an offset after the end: the topic
    /// was made anew, and what was read of it before is worthless.
    pub fn add(&mut self, starts: &[(Partition, Option<i64>)]) -> Result<(), Error> {
        let partitions: Vec<Partition> = starts
            .iter()
            .map(|(partition, _)| partition.clone())
            .collect();
        let beginnings = self.cluster.beginnings(&partitions)?;
        let ends = self.cluster.ends(&partitions)?;
        let mut waiting = Vec::with_capacity(starts.len());
        for (partition, offset) in starts {
            let unknown = || Error::Refused {
                doing: format!("reading {partition}"),
                reason: "the broker does not know this partition".to_owned(),
            };
            let first = *beginnings.get(partition).ok_or_else(unknown)?;
            let end = *ends.get(partition).ok_or_else(unknown)?;
            let start = offset.unwrap_or(first).max(first);
            if start > end {
                let (topic, partition) = (partition.topic.clone(), partition.number);
                return Err(Error::OutOfRange {
                    topic,
                    partition,
                    offset: start,
                    first,
                    end,
                });
            }
            waiting.push(Waiting {
                start: partition.clone().at(start),
                end,
            });
        }
        self.waiting.extend(waiting);
        self.looked = None;
        Ok(())
    }

    /// Stops to read these partitions.
    pub fn remove(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        let goes = |topic: &str, number: u32| {
            partitions
                .iter()
                .any(|partition| partition.topic == topic && partition.number == number)
        };
        self.waiting
            .retain(|waiting| !goes(&waiting.start.topic, waiting.start.partition));
        self.caught_up
            .retain(|partition| !goes(&partition.topic, partition.number));
        if let Some(lanes) = &mut self.lanes {
            lanes.remove(partitions)?;
            if self.waiting.is_empty() && lanes.partitions().next().is_none() {
                let unused = self.lanes.take();
                // librdkafka waits for its threads.
                thread::spawn(move || drop(unused));
            }
        }
        Ok(())
    }

    /// Takes the rows that are there, up to `max_rows` of each partition, and never waits long.
    /// `true`: there may be more. Call it at least every 20 ms until all have caught up: not
    /// everything wakes.
    pub fn poll(&mut self, max_rows: usize, into: &mut Vec<Rows>) -> Result<bool, Error> {
        self.start_decided()?;
        let Some(lanes) = &mut self.lanes else {
            return Ok(false);
        };
        let polled = lanes.poll(max_rows, MAX_BYTES, into)?;
        for partition in lanes.take_ended() {
            if !self.caught_up.contains(&partition) {
                self.caught_up.push(partition);
            }
        }
        match polled {
            Polled::Drained => Ok(false),
            Polled::More => Ok(true),
            Polled::OutOfRange(partition, offset) => {
                Err(out_of_range(&self.cluster, partition, offset))
            }
        }
    }

    /// Whether everything that was there when the partition was added has been given by `poll`.
    pub fn caught_up(&self, partition: &Partition) -> bool {
        self.caught_up.contains(partition)
    }

    /// Whether all partitions have caught up.
    pub fn all_caught_up(&self) -> bool {
        let mut lanes = self.lanes.iter().flat_map(Lanes::partitions);
        self.waiting.is_empty() && lanes.all(|partition| self.caught_up(&partition))
    }

    /// Reads the partitions whose transactions are decided: what is empty has caught up at once,
    /// the others at their first end. (An end that comes before all is decided would be that of the
    /// decided rows only.)
    fn start_decided(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() || self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let lanes = match &mut self.lanes {
            Some(lanes) => lanes,
            unused => {
                let settings = self.cluster.settings().reader();
                unused.insert(Lanes::open(&settings, Arc::clone(&self.wake))?)
            }
        };
        let partitions: Vec<Partition> = self.waiting.iter().map(Waiting::partition).collect();
        let timeout = self.cluster.settings().request_timeout;
        let decided: BTreeMap<Partition, i64> =
            offsets(lanes.consumer(), &partitions, Offset::End, timeout)?;
        let ready = |waiting: &Waiting| {
            decided
                .get(&waiting.partition())
                .is_some_and(|&end| end >= waiting.end)
        };
        let mut starts = Vec::new();
        for waiting in self.waiting.iter().filter(|waiting| ready(waiting)) {
            if waiting.start.offset == waiting.end {
                self.caught_up.push(waiting.partition());
            }
            starts.push(waiting.start.clone());
        }
        self.waiting.retain(|waiting| !ready(waiting));
        lanes.add(&starts)
    }
}

impl Waiting {
    fn partition(&self) -> Partition {
        Partition::new(self.start.topic.as_str(), self.start.partition)
    }
}
