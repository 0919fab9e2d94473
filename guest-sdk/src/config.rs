//! Settings: what the operator may choose, read with a type when the topology is declared.

use std::time::Duration;

use crate::duration;

/// A type that a setting can have.
pub trait Setting: Sized {
    /// What people should type, e.g. "a whole number".
    const EXPECTED: &'static str;

    /// Reads what they typed; `None`: it is not that.
    fn read(text: &str) -> Option<Self>;
}

impl Setting for String {
    const EXPECTED: &'static str = "a text";

    fn read(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn read(text: &str) -> Option<bool> {
        text.parse().ok()
    }
}

macro_rules! numbers {
    ($($type:ty: $expected:literal),*) => { $(
        impl Setting for $type {
            const EXPECTED: &'static str = $expected;

            fn read(text: &str) -> Option<$type> {
                text.parse().ok()
            }
        }
    )* };
}

numbers! {
    i32: "a whole number", i64: "a whole number", u16: "a whole number from 0",
    u32: "a whole number from 0", u64: "a whole number from 0", f64: "a number"
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration like 250ms, 30s, 10m, 1h or 7d";

    fn read(text: &str) -> Option<Duration> {
        duration::parse(text)
    }
}

/// Separated by commas.
impl<T: Setting> Setting for Vec<T> {
    const EXPECTED: &'static str = "a list, separated by commas";

    fn read(text: &str) -> Option<Vec<T>> {
        text.split(',').map(|item| T::read(item.trim())).collect()
    }
}
