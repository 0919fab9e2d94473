//! Limits: what the engine never exceeds, in one place.

/// The limits of one task. All are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows handed through the operators together. More make the border to a guest cheaper, up to
    /// about a thousand.
    pub max_batch_rows: usize,
    /// Bytes of keys and values of such a batch; one row is taken whatever its size.
    pub max_batch_bytes: usize,
    /// Rows that wait in one input partition's queue; above it the worker pauses the partition.
    pub max_buffered_rows: usize,
    /// Bytes that wait in one input partition's queue; above it the worker pauses the partition.
    pub max_buffered_bytes: usize,
    /// How long, in milliseconds, a task waits for rows of an input that is at its end, while
    /// another has rows. Rows that are on the broker already are always waited for.
    pub max_idle_ms: i64,
    /// Bytes of uncommitted writes of a worker's tasks, and of rows that they produced; above it
    /// the worker commits.
    pub max_uncommitted_bytes: usize,
    /// Rows that one call of a function may make of a batch.
    pub max_output_rows: usize,
    /// Bytes that one call of a function may make of a batch.
    pub max_output_bytes: usize,
    /// Entries that a function gets for one `range`.
    pub max_range_entries: u32,
    /// Characters of a reason or a backtrace in a dead letter; what is longer is cut.
    pub max_reason_chars: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_batch_rows: 1024,
            max_batch_bytes: 4 << 20,
            max_buffered_rows: 10_000,
            max_buffered_bytes: 32 << 20,
            max_idle_ms: 0,
            max_uncommitted_bytes: 64 << 20,
            max_output_rows: 1 << 20,
            max_output_bytes: 64 << 20,
            max_range_entries: 100_000,
            max_reason_chars: 8 << 10,
        }
    }
}
