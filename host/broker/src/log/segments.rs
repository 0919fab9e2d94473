//! Segments: the grain of retention and the border of compaction.
//!
//! Nothing is stored by segment here; they are kept since Apache Kafka's promises are in their
//! terms: a record lives at least until the newest one of its segment has expired, and the active
//! segment is never compacted.

use std::collections::VecDeque;

use super::head::Head;

/// When a new segment begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rolling {
    /// `segment.bytes`
    pub(crate) bytes: u64,
    /// `segment.ms`
    pub(crate) ms: i64,
}

#[derive(Debug)]
struct Segment {
    base: i64,
    bytes: u64,
    max_timestamp: i64,
    opened: i64,
}

/// The segments of a log, oldest first; the last one is active.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    segments: VecDeque<Segment>,
}

impl Segments {
    pub(crate) fn append(&mut self, head: &Head, rolling: Rolling, now: i64) {
        let bytes = head.size as u64;
        if let Some(active) = self.segments.back_mut()
            && active.bytes + bytes <= rolling.bytes
            && now - active.opened <= rolling.ms
        {
            active.bytes += bytes;
            active.max_timestamp = active.max_timestamp.max(head.max_timestamp);
            return;
        }
        let max_timestamp = head.max_timestamp;
        self.segments.push_back(Segment {
            base: head.base,
            bytes,
            max_timestamp,
            opened: now,
        });
    }

    /// Where the active segment begins.
    pub(crate) fn active(&self) -> Option<i64> {
        self.segments.back().map(|segment| segment.base)
    }

    /// The first offset that neither limit takes.
    pub(crate) fn expired(&self, ms: i64, bytes: i64, now: i64, end: i64) -> i64 {
        let mut size: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let mut at = 0;
        while let Some(segment) = self.segments.get(at) {
            let is_old = ms >= 0 && segment.max_timestamp < now.saturating_sub(ms);
            let is_over = u64::try_from(bytes).is_ok_and(|limit| size - segment.bytes >= limit)
                && at + 1 < self.segments.len();
            if !is_old && !is_over {
                break;
            }
            size -= segment.bytes;
            at += 1;
        }
        self.segments.get(at).map_or(end, |segment| segment.base)
    }

    pub(crate) fn truncate_before(&mut self, offset: i64) {
        while self
            .segments
            .get(1)
            .is_some_and(|second| second.base <= offset)
        {
            self.segments.pop_front();
        }
    }
}
