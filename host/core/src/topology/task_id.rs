//! A task's name, as in Kafka Streams: `0_3` is partition 3 of sub-topology 0.

use std::fmt;

/// Partition `partition` of sub-topology `subtopology`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Number of the sub-topology.
    pub subtopology: u32,
    /// Number of the partition.
    pub partition: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}
