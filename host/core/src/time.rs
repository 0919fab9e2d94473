//! Event time: milliseconds since the epoch, as Kafka stamps rows.

/// Milliseconds since the epoch. Differences are plain `i64` milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before every row: stream time when nothing was read yet.
    pub const NONE: Timestamp = Timestamp(i64::MIN);
}
