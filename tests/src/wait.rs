//! Waiting for something to come true, with a limit: the only place where a test sleeps.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long stories wait for what should happen soon. Generous: the machine may be busy compiling.
pub const SOON: Duration = Duration::from_secs(60);

/// The first answer that is `Some`, asked every 20 ms; `None` once `limit` has passed.
pub fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begun.elapsed() >= limit {
            return None;
        }
        sleep(Duration::from_millis(20));
    }
}

/// As [`within`] [`SOON`]; panics with `what` did not come true.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(SOON, ask).unwrap_or_else(|| panic!("waited {} s in vain: {what}", SOON.as_secs()))
}
