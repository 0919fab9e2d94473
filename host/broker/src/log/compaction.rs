//! Compaction: of the records of a key, the newest stays.
//!
//! In three steps, so that a large log holds nobody up: [`Log::plan`] and [`Log::apply`] look at
//! headers and are quick; [`Plan::work`] reads and writes batches and needs no log. In between the
//! log may grow and be truncated, but what a plan covers changes by truncation alone.
//!
//! Records of aborted transactions go at once, tombstones after `delete.retention.ms`, and the
//! marker of a transaction when nothing of the transaction is left. Offsets never change.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::head::Head;
use super::records::{self, Record};
use super::{Kept, Log, Piece};
use crate::code::Code;

/// When a log is compacted, and what goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// `min.cleanable.dirty.ratio`
    pub(crate) dirty_ratio: f64,
    /// `min.compaction.lag.ms`
    pub(crate) min_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub(crate) max_lag_ms: i64,
    /// `delete.retention.ms`
    pub(crate) delete_retention_ms: i64,
}

/// A batch of a plan.
#[derive(Debug)]
struct Planned {
    base: i64,
    piece: Piece,
}

/// What is to be compacted.
#[derive(Debug)]
pub(crate) struct Plan {
    start: i64,
    upto: i64,
    batches: Vec<Planned>,
    delete_before: i64,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing of it is left.
    Drop { base: i64 },
    /// Fewer of its records are left.
    Rewrite { base: i64, batch: Bytes },
}

impl Log {
    /// What there is to compact at `now`; nothing if too little of it is new.
    pub(crate) fn plan(&self, policy: &Policy, now: i64) -> Option<Plan> {
        let border = self.last_stable().min(self.segments.active()?);
        let newest = now.saturating_sub(policy.min_lag_ms);
        let mut plan = Plan {
            start: self.start,
            upto: border,
            batches: Vec::new(),
            delete_before: now.saturating_sub(policy.delete_retention_ms),
        };
        let (mut all, mut dirty, mut is_late) = (0_u64, 0_u64, false);
        for entry in &self.entries {
            if entry.last >= border || (policy.min_lag_ms > 0 && entry.max_timestamp > newest) {
                plan.upto = plan.upto.min(entry.base);
                break;
            }
            all += u64::from(entry.size);
            if entry.base >= self.cleaned {
                dirty += u64::from(entry.size);
                is_late |= entry.max_timestamp < now.saturating_sub(policy.max_lag_ms);
            }
            plan.batches.push(Planned {
                base: entry.base,
                piece: entry.piece(),
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no precision")]
        let is_due = dirty > 0 && (is_late || dirty as f64 >= policy.dirty_ratio * all as f64);
        is_due.then_some(plan)
    }

    /// Whether a batch belongs to a transaction that was aborted.
    pub(crate) fn is_aborted(&self, head: &Head) -> bool {
        head.is_transactional()
            && !head.is_control()
            && self.isolation.is_aborted(head.producer, head.base)
    }

    /// Carries out what [`Plan::work`] decided, as far as the batches are still there. Returns the
    /// changes made. `keep` says where the bytes of a rewritten batch are.
    pub(crate) fn apply(
        &mut self,
        upto: i64,
        changes: Vec<Change>,
        keep: impl Fn(&Bytes) -> Kept,
    ) -> Vec<Change> {
        let mut dropped = HashSet::new();
        let mut made = Vec::new();
        for change in changes {
            let base = change.base();
            let Ok(at) = self.entries.binary_search_by_key(&base, |entry| entry.base) else {
                continue;
            };
            let entry = &mut self.entries[at];
            self.bytes -= u64::from(entry.size);
            match &change {
                Change::Drop { base } => {
                    dropped.insert(*base);
                    self.isolation.forget(*base);
                }
                Change::Rewrite { batch, .. } => {
                    entry.size = u32::try_from(batch.len()).expect("smaller than before");
                    entry.kept = keep(batch);
                    self.bytes += u64::from(entry.size);
                }
            }
            made.push(change);
        }
        self.entries.retain(|entry| !dropped.contains(&entry.base));
        self.cleaned = self.cleaned.max(upto);
        made
    }
}

impl Change {
    /// The batch that changes.
    pub(crate) fn base(&self) -> i64 {
        match self {
            Self::Drop { base } | Self::Rewrite { base, .. } => *base,
        }
    }
}

impl Plan {
    /// Up to here the log is clean afterwards.
    pub(crate) fn upto(&self) -> i64 {
        self.upto
    }

    /// Decides for each batch what is left of it. Cost: two passes over the log, one batch at a
    /// time in memory, and all its keys.
    pub(crate) fn work<S: Source>(self, source: &S) -> Result<Vec<Change>, Trouble<S::Error>> {
        let mut newest: HashMap<Bytes, i64> = HashMap::new();
        for planned in &self.batches {
            let Some((bytes, head)) = planned.read(source)? else {
                continue;
            };
            if head.is_control() || source.is_aborted(&head) {
                continue;
            }
            for record in records::of(&bytes, &head)? {
                if let Some(key) = record.key {
                    newest.insert(Bytes::copy_from_slice(&key), record.offset);
                }
            }
        }
        let mut changes = Vec::new();
        // Producers of whose running transaction a batch is left.
        let mut alive: HashSet<i64> = HashSet::new();
        for planned in &self.batches {
            // A batch that is gone by now was truncated.
            let Some((bytes, head)) = planned.read(source)? else {
                continue;
            };
            let base = planned.base;
            if head.is_control() {
                let is_needed = alive.remove(&head.producer);
                if !is_needed && head.max_timestamp < self.delete_before {
                    changes.push(Change::Drop { base });
                }
            } else if source.is_aborted(&head) {
                changes.push(Change::Drop { base });
            } else {
                let change = self.change(&bytes, &head, &newest)?;
                if !matches!(change, Some(Change::Drop { .. })) && head.is_transactional() {
                    alive.insert(head.producer);
                }
                changes.extend(change);
            }
        }
        Ok(changes)
    }

    fn change(
        &self,
        batch: &Bytes,
        head: &Head,
        newest: &HashMap<Bytes, i64>,
    ) -> Result<Option<Change>, Code> {
        let rows = records::of(batch, head)?;
        let stays = |row: &Record| {
            let newest = row.key.as_ref().and_then(|key| newest.get(key));
            let is_forgotten = row.is_tombstone && row.timestamp < self.delete_before;
            row.offset >= self.start && newest == Some(&row.offset) && !is_forgotten
        };
        let kept: Vec<&Record> = rows.iter().filter(|row| stays(row)).collect();
        let base = head.base;
        if kept.len() == rows.len() {
            return Ok(None);
        }
        if kept.is_empty() {
            return Ok(Some(Change::Drop { base }));
        }
        let rewritten = records::with_only(batch, head, &kept)?;
        let is_smaller = rewritten.len() <= batch.len();
        Ok(is_smaller.then_some(Change::Rewrite {
            base,
            batch: rewritten,
        }))
    }
}

/// What the work needs to see.
pub(crate) trait Source {
    /// Why a batch cannot be read.
    type Error;

    /// The bytes of a stored batch; none if it is gone.
    fn read(&self, base: i64) -> Result<Option<Bytes>, Self::Error>;

    /// Whether a batch belongs to a transaction that was aborted.
    fn is_aborted(&self, head: &Head) -> bool;
}

/// Why a log cannot be compacted.
#[derive(Debug)]
pub(crate) enum Trouble<E> {
    /// A batch is not what it should be.
    Corrupt(Code),
    /// A batch cannot be read.
    Unread(E),
}

impl<E> From<Code> for Trouble<E> {
    fn from(code: Code) -> Self {
        Self::Corrupt(code)
    }
}

impl Planned {
    fn read<S: Source>(&self, source: &S) -> Result<Option<(Bytes, Head)>, Trouble<S::Error>> {
        let bytes = match &self.piece {
            Piece::Bytes(bytes) => Some(bytes.clone()),
            Piece::Stored(base) => source.read(*base).map_err(Trouble::Unread)?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let head = Head::parse(&bytes)?;
        Ok(Some((bytes, head)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::testing::{TestLog, batch, log};
    use super::*;

    const EAGER: Policy = Policy {
        dirty_ratio: 0.0,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: 1000,
    };

    impl Source for Log {
        type Error = ();

        fn read(&self, _: i64) -> Result<Option<Bytes>, ()> {
            Err(())
        }

        fn is_aborted(&self, head: &Head) -> bool {
            Log::is_aborted(self, head)
        }
    }

    /// Compacts all but what comes last, and tells what is left: `key@offset`.
    fn compacted(test: &mut TestLog, now: i64) -> String {
        test.now = now;
        test.rolling.ms = -1;
        test.add(batch().at(now).row("last", Some("")));
        test.rolling.ms = 1 << 40;
        if let Some(plan) = test.log.plan(&EAGER, now) {
            let upto = plan.upto();
            let changes = plan.work(&test.log).unwrap();
            test.log
                .apply(upto, changes, |bytes| Kept::Here(bytes.clone()));
        }
        left(test)
    }

    fn left(test: &TestLog) -> String {
        let mut words = Vec::new();
        for piece in test.log.read(0, i64::MAX, usize::MAX, false).pieces {
            let Piece::Bytes(bytes) = piece else {
                panic!("in memory")
            };
            let head = Head::parse(&bytes).unwrap();
            head.verify(&bytes).unwrap();
            for row in records::of(&bytes, &head).unwrap() {
                let key = if head.is_control() {
                    "marker".into()
                } else {
                    row.key.unwrap()
                };
                words.push(format!("{}@{}", String::from_utf8_lossy(&key), row.offset));
            }
        }
        words.join(" ")
    }

    #[test]
    fn of_each_key_the_newest_record_stays_at_its_offset() {
        let mut log = log();
        log.add(batch().row("a", Some("1")).row("b", Some("1")));
        log.add(batch().row("a", Some("2")));
        log.add(batch().row("a", Some("3")).row("c", Some("1")));
        assert_eq!(compacted(&mut log, 10), "b@1 a@3 c@4 last@5");
        assert_eq!(log.log.end(), 6);
    }

    #[test]
    fn a_tombstone_outlives_its_key_for_a_while() {
        let mut log = log();
        log.add(batch().at(100).row("a", Some("1")));
        log.add(batch().at(200).row("a", None));
        assert_eq!(compacted(&mut log, 300), "a@1 last@2");
        assert_eq!(compacted(&mut log, 2000), "last@2 last@3");
    }

    #[test]
    fn aborted_records_hide_no_committed_one_and_go() {
        let mut log = log();
        log.add(batch().transaction(7, 0, 0).row("a", Some("kept")));
        log.end(7, 0, true);
        log.add(batch().transaction(7, 0, 1).row("a", Some("never was")));
        log.end(7, 0, false);
        assert_eq!(compacted(&mut log, 10), "a@0 marker@1 marker@3 last@4");
        assert_eq!(
            compacted(&mut log, 5000),
            "a@0 marker@1 last@4 last@5",
            "the abort has no traces"
        );
        assert!(log.log.isolation().aborted(0, 9).is_empty());
    }

    #[test]
    fn nothing_behind_an_open_transaction_is_compacted() {
        let mut log = log();
        log.add(batch().row("a", Some("1")));
        log.add(batch().transaction(7, 0, 0).row("b", Some("1")));
        log.add(batch().row("a", Some("2")));
        assert_eq!(compacted(&mut log, 10), "a@0 b@1 a@2 last@3");
    }
}
