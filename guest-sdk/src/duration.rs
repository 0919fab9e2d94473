//! Durations: as the contract has them, and as people type them.

use std::time::Duration;

/// Whole milliseconds; what is longer than the contract can say is cut to it, and refused by the
/// host.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// "250ms", "30s", "10m", "1h", "7d"; a plain number is milliseconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(scale).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(parse("250"), Some(Duration::from_millis(250)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse("7d"), Some(Duration::from_secs(604_800)));
        for wrong in ["", "m", "ten", "1.5h", "-1s", "1 h"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
