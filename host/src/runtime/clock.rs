//! The wall clock: the one place where the host reads it for the engine.

use std::time::{Duration, SystemTime};

use weir_core::time::Timestamp;

/// Now, in milliseconds since the epoch.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX))
}

/// How long it is until `then`.
pub(super) fn until(then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(then.0.saturating_sub(now().0)).unwrap_or(0))
}
