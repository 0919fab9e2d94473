//! The log of one partition: batches by offset, and what readers and producers may do with it.
//!
//! Pure: no socket, no clock, no disk. Batches are here as headers, with their bytes where the
//! storage keeps none ([`Kept`]). Offsets never go back, and the newest batch is always in the
//! active segment, which neither compaction nor a size limit touches.

pub(crate) mod compaction;
pub(crate) mod head;
pub(crate) mod isolation;
pub(crate) mod producers;
pub(crate) mod records;
pub(crate) mod segments;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::VecDeque;
use std::sync::Weak;

use bytes::Bytes;

use self::head::Head;
use self::isolation::Isolation;
use self::producers::Producers;
use self::segments::{Rolling, Segments};
use crate::code::Code;

/// Where the bytes of a batch are.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// Here, and nowhere else.
    Here(Bytes),
    /// In the storage; and in memory as long as the cache holds it.
    Stored(Weak<Bytes>),
}

/// A batch in the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) base: i64,
    pub(crate) last: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) size: u32,
    pub(crate) kept: Kept,
}

/// What a reader gets for one batch.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Its bytes.
    Bytes(Bytes),
    /// The storage has it, under this base offset.
    Stored(i64),
}

/// Whether a batch may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Yes.
    New,
    /// It is there already, at this offset: a producer that sent it again.
    Duplicate(i64),
}

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Log {
    start: i64,
    end: i64,
    bytes: u64,
    entries: VecDeque<Entry>,
    segments: Segments,
    producers: Producers,
    isolation: Isolation,
    /// Up to here compaction has been.
    cleaned: i64,
}

impl Log {
    /// An empty log that begins at `start`.
    pub(crate) fn starting_at(start: i64) -> Self {
        Self {
            start,
            end: start,
            cleaned: start,
            ..Self::default()
        }
    }

    /// The first offset that can be read.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The offset of the next record: on one node also the high watermark.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Up to here every transaction has ended.
    pub(crate) fn last_stable(&self) -> i64 {
        self.isolation.last_stable(self.end)
    }

    /// Bytes of all batches.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Forgets the producers that have not written since `before`.
    pub(crate) fn expire_producers(&mut self, before: i64) {
        let isolation = &self.isolation;
        self.producers
            .expire(before, |producer| isolation.open_since(producer).is_some());
    }

    pub(crate) fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Judges a batch of a client by its producer's earlier ones.
    pub(crate) fn admit(&self, head: &Head) -> Result<Admission, Code> {
        if head.is_control() || head.count <= 0 || head.last_delta != head.count - 1 {
            return Err(Code::InvalidRecord);
        }
        if !head.is_idempotent() {
            return Ok(Admission::New);
        }
        let admission = self.producers.admit(head)?;
        if !head.is_transactional() && self.isolation.open_since(head.producer).is_some() {
            return Err(Code::InvalidTxnState);
        }
        Ok(admission)
    }

    /// Books a batch whose header says where it stands. Batches of a compacted log have gaps
    /// between them; none stands before an earlier one.
    pub(crate) fn append(&mut self, head: &Head, kept: Kept, rolling: Rolling, now: i64) {
        // The first batch of a truncated log may begin before the start of the log.
        assert!(
            head.last() >= self.end,
            "a batch up to {} in a log up to {}",
            head.last(),
            self.end
        );
        let size = u32::try_from(head.size).expect("a batch has an i32 for its length");
        self.entries.push_back(Entry {
            base: head.base,
            last: head.last(),
            max_timestamp: head.max_timestamp,
            size,
            kept,
        });
        self.bytes += u64::from(size);
        self.end = head.last() + 1;
        self.segments.append(head, rolling, now);
        if head.is_idempotent() {
            self.producers.append(head, now);
            if head.is_transactional() && !head.is_control() {
                self.isolation.begin(head.producer, head.base);
            }
        }
    }

    /// Books the end of a transaction, whose marker stands at `marker`.
    pub(crate) fn end_transaction(&mut self, producer: i64, committed: bool, marker: i64) {
        self.isolation.end(producer, committed, marker);
    }

    /// Where a reader at `offset` begins: the batch that holds it, or the next one.
    fn position(&self, offset: i64) -> usize {
        self.entries.partition_point(|entry| entry.last < offset)
    }

    /// The batches from `offset` up to `limit` that fit into `max_bytes`; the first one in any case
    /// if `at_least_one`.
    pub(crate) fn read(
        &self,
        offset: i64,
        limit: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Pieces {
        let mut pieces = Pieces {
            pieces: Vec::new(),
            bytes: 0,
            end: offset,
        };
        for entry in self.entries.range(self.position(offset)..) {
            let more = pieces.bytes + entry.size as usize;
            let is_first = at_least_one && pieces.pieces.is_empty();
            if entry.base >= limit || (more > max_bytes && !is_first) {
                break;
            }
            pieces.pieces.push(entry.piece());
            pieces.bytes = more;
            pieces.end = entry.last + 1;
        }
        pieces
    }

    /// All batches from the first one that can have a record of `timestamp` or later.
    pub(crate) fn since(&self, timestamp: i64) -> Option<(Piece, i64)> {
        self.entries
            .iter()
            .find(|entry| entry.max_timestamp >= timestamp && entry.last >= self.start)
            .map(|entry| (entry.piece(), entry.last))
    }

    /// The batch that holds the record of the highest timestamp.
    pub(crate) fn newest(&self) -> Option<(Piece, i64)> {
        let best = self
            .entries
            .iter()
            .rev()
            .max_by_key(|entry| entry.max_timestamp)?;
        Some((best.piece(), best.max_timestamp))
    }

    /// Drops what lies before `offset`; returns the base offsets of the batches that are gone.
    pub(crate) fn truncate_before(&mut self, offset: i64) -> Vec<i64> {
        assert!(
            offset <= self.end,
            "truncation before {offset} in a log up to {}",
            self.end
        );
        self.start = self.start.max(offset);
        let count = self.position(self.start);
        let gone: Vec<i64> = self
            .entries
            .iter()
            .take(count)
            .map(|entry| entry.base)
            .collect();
        for entry in self.entries.drain(..count) {
            self.bytes -= u64::from(entry.size);
        }
        self.segments.truncate_before(self.start);
        self.isolation.truncate_before(self.start);
        self.cleaned = self.cleaned.max(self.start);
        gone
    }

    /// Where the log should begin, by age and size. Negative limits are none.
    pub(crate) fn expired(&self, retention_ms: i64, retention_bytes: i64, now: i64) -> Option<i64> {
        let to = self
            .segments
            .expired(retention_ms, retention_bytes, now, self.end);
        let to = to.min(self.last_stable());
        (to > self.start).then_some(to)
    }
}

impl Entry {
    fn piece(&self) -> Piece {
        match &self.kept {
            Kept::Here(bytes) => Piece::Bytes(bytes.clone()),
            Kept::Stored(cached) => match cached.upgrade() {
                Some(bytes) => Piece::Bytes(Bytes::clone(&bytes)),
                None => Piece::Stored(self.base),
            },
        }
    }
}

/// What [`Log::read`] found.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) bytes: usize,
    /// The offset after the last record found.
    pub(crate) end: i64,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::testing::{batch, log};
    use super::*;

    #[test]
    fn a_reader_in_a_gap_gets_the_next_batch() {
        let mut log = log();
        for key in ["a", "b", "c"] {
            log.add(batch().row(key, Some("1")).row(key, Some("2")));
        }
        log.log.truncate_before(2);
        let found = log.log.read(3, 6, usize::MAX, false);
        assert_eq!((found.pieces.len(), found.end), (2, 6));
        assert_eq!((log.log.start(), log.log.end()), (2, 6));
    }

    #[test]
    fn a_batch_larger_than_the_limit_is_read_alone() {
        let mut log = log();
        log.add(batch().row("a", Some("1")));
        log.add(batch().row("b", Some("2")));
        assert_eq!(log.log.read(0, 2, 1, true).pieces.len(), 1);
        assert_eq!(log.log.read(0, 2, 1, false).pieces.len(), 0);
    }

    #[test]
    fn an_open_transaction_holds_the_last_stable_offset() {
        let mut log = log();
        log.add(batch().row("a", Some("1")));
        log.add(batch().transaction(9, 0, 0).row("b", Some("2")));
        log.add(batch().row("c", Some("3")));
        assert_eq!((log.log.last_stable(), log.log.end()), (1, 3));
        log.end(9, 0, false);
        assert_eq!((log.log.last_stable(), log.log.end()), (4, 4));
        let aborted = log.log.isolation().aborted(0, 4);
        assert_eq!(aborted, [(9, 1)]);
        assert!(log.log.isolation().aborted(4, 4).is_empty());
    }

    #[test]
    fn a_plain_batch_amid_ones_own_transaction_is_refused() {
        let mut log = log();
        log.add(batch().transaction(9, 0, 0).row("a", Some("1")));
        let plain = batch().producer(9, 0, 1).row("b", Some("2")).build();
        let head = Head::parse(&plain).unwrap();
        assert_eq!(log.log.admit(&head), Err(Code::InvalidTxnState));
    }

    #[test]
    fn retention_takes_whole_segments_and_spares_open_transactions() {
        let mut log = log();
        log.rolling.bytes = 1;
        for at in [100, 200, 300] {
            log.add(batch().at(at).row("a", Some("1")));
        }
        assert_eq!(log.log.expired(50, -1, 260), Some(2));
        assert_eq!(log.log.expired(50, -1, 400), Some(3));
        assert_eq!(
            log.log.expired(-1, 1, 400),
            Some(2),
            "the active segment has no size limit"
        );
        assert_eq!(log.log.expired(-1, -1, 400), None);
    }
}
