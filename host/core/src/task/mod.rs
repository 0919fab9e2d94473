//! Tasks: one partition of one sub-topology, and all that it does between two commits.

pub mod effect;
pub mod id;
pub mod partition_group;

pub use effect::{Commit, DeadLetter, Effects, Position, Produce};
pub use id::TaskId;
pub use partition_group::PartitionGroup;
