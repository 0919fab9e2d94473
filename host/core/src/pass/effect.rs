//! What a task wants done: rows to produce, rows that failed, positions and changelogs to commit.
//!
//! Effects are values. The worker carries them out inside its Kafka transaction; the driver keeps
//! them for a test to look at.

use crate::record::Batch;
use crate::store::StoreId;

/// What the steps of a task (or of several) wanted done since it was last emptied.
#[derive(Debug, Default)]
pub struct Effects {
    /// Rows to produce, in order.
    pub produce: Vec<Produce>,
    /// Rows that failed, under the policies `dead-letter` and `skip`: a consumed row once, with
    /// its first failure.
    pub dead_letters: Vec<DeadLetter>,
}

/// Rows for one topic (an internal one is named in full), in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Produce {
    /// The topic's name.
    pub topic: String,
    /// With their headers.
    pub rows: Batch,
    /// The partition of each row: murmur2 of its key; for rows without a key, whichever the task
    /// has chosen.
    pub partitions: Vec<u32>,
}

/// A row that a function refused or could not survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The consumed row that it goes back to; `None`: a punctuation or a request.
    pub position: Option<Position>,
    /// The consumed row's key.
    pub key: Option<Vec<u8>>,
    /// The consumed row's value.
    pub value: Option<Vec<u8>>,
    /// Its timestamp; without a row the time of the punctuation. Milliseconds since the epoch.
    pub timestamp: i64,
    /// The node that failed on it.
    pub node: String,
    /// For people.
    pub reason: String,
    /// The Wasm backtrace, or empty.
    pub backtrace: String,
}

/// Where a row stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The row's offset.
    pub offset: i64,
}

/// What belongs into the transaction besides the effects, when it ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The next offset to read of each input partition that has moved, with the metadata that the
    /// task wants back when it starts from there (its stream times; below 4096 bytes).
    pub positions: Vec<(Position, String)>,
    /// Rows for each logged store's changelog, last write of each key; partition = the task's.
    pub changelog: Vec<(StoreId, Batch)>,
}
