//! What readers of committed records may see: open and aborted transactions of one partition.

use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Aborted {
    producer: i64,
    first: i64,
    /// Offset of the marker.
    last: i64,
}

/// The transactions of a log.
#[derive(Debug, Default)]
pub(crate) struct Isolation {
    /// Producer to the first offset of its open transaction.
    open: HashMap<i64, i64>,
    /// By `last`.
    aborted: Vec<Aborted>,
}

impl Isolation {
    pub(crate) fn begin(&mut self, producer: i64, offset: i64) {
        self.open.entry(producer).or_insert(offset);
    }

    pub(crate) fn end(&mut self, producer: i64, committed: bool, marker: i64) {
        if let Some(first) = self.open.remove(&producer)
            && !committed
        {
            self.aborted.push(Aborted {
                producer,
                first,
                last: marker,
            });
        }
    }

    /// The first offset of the producer's open transaction.
    pub(crate) fn open_since(&self, producer: i64) -> Option<i64> {
        self.open.get(&producer).copied()
    }

    pub(crate) fn last_stable(&self, end: i64) -> i64 {
        self.open.values().copied().min().unwrap_or(end)
    }

    /// The aborted transactions (producer, first offset) that a reader of `from..to` must know.
    pub(crate) fn aborted(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        let first = self.aborted.partition_point(|aborted| aborted.last < from);
        let seen = self.aborted[first..]
            .iter()
            .filter(|aborted| aborted.first < to);
        seen.map(|aborted| (aborted.producer, aborted.first))
            .collect()
    }

    /// Whether a batch of an ended transaction was aborted.
    pub(crate) fn is_aborted(&self, producer: i64, base: i64) -> bool {
        let first = self.aborted.partition_point(|aborted| aborted.last <= base);
        self.aborted[first..]
            .iter()
            .any(|aborted| aborted.producer == producer && aborted.first <= base)
    }

    /// Forgets the aborted transaction that ended at `marker`: nothing of it is left.
    pub(crate) fn forget(&mut self, marker: i64) {
        self.aborted.retain(|aborted| aborted.last != marker);
    }

    pub(crate) fn truncate_before(&mut self, offset: i64) {
        self.aborted.retain(|aborted| aborted.last >= offset);
    }
}
