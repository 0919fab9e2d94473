//! Rows that a broker would refuse, found before they are produced.
//!
//! One refused row makes the whole transaction fail, again and again; found here, it is the failure
//! of that row alone.

use weir_core::record::Headers;
use weir_core::topology::TopicFacts;

/// Bytes of a record batch's own header, and the most that one record's fields of variable length
/// take.
const BATCH_OVERHEAD: usize = 61;
const RECORD_OVERHEAD: usize = 32;
const HEADER_OVERHEAD: usize = 10;

/// Why a broker would refuse this row in a topic of these facts at time `now` (milliseconds since
/// the epoch); `None`: it would not. Compression, which may make a row fit after all, is not
/// counted on.
pub fn refusal(
    facts: &TopicFacts,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    timestamp: i64,
    headers: Option<(&Headers, usize)>,
    now: i64,
) -> Option<String> {
    if facts.compacted && key.is_none() {
        return Some("a row without a key, and the topic is compacted".to_owned());
    }
    if let Some(limit) = facts
        .max_ahead_ms
        .filter(|&limit| timestamp.saturating_sub(now) > limit)
    {
        let ahead = timestamp.saturating_sub(now);
        return Some(format!(
            "stamped {ahead} ms ahead of the clock; \
             the topic's message.timestamp.after.max.ms is {limit}"
        ));
    }
    if timestamp < 0 {
        return Some(format!("timestamp {timestamp} is before 1970"));
    }
    let of_headers = headers.map_or(0, |(headers, row)| {
        let sizes = headers
            .row(row)
            .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
        sizes.map(|size| size + HEADER_OVERHEAD).sum()
    });
    let bytes = BATCH_OVERHEAD + RECORD_OVERHEAD + of_headers;
    let bytes = bytes + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    let limit = facts.max_message_bytes;
    (bytes > limit as usize)
        .then(|| format!("{bytes} bytes; the topic's max.message.bytes is {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_refused_for_its_size_its_time_or_its_missing_key() {
        let facts = TopicFacts {
            partitions: 1,
            max_message_bytes: 1000,
            compacted: true,
            max_ahead_ms: Some(10),
        };
        let refused = |key: Option<&[u8]>, value: &[u8], timestamp| {
            refusal(&facts, key, Some(value), timestamp, None, 100)
        };
        assert_eq!(refused(Some(b"k"), b"v", 110), None);
        assert!(refused(None, b"v", 0).is_some_and(|reason| reason.contains("key")));
        assert!(
            refused(Some(b"k"), b"v", 111).is_some_and(|reason| reason.contains("11 ms ahead"))
        );
        assert!(
            refused(Some(b"k"), &[0; 950], 0)
                .is_some_and(|reason| reason.contains("max.message.bytes"))
        );
        assert!(refused(Some(b"k"), b"v", -1).is_some());
    }
}
