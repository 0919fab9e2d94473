//! Transactional producers: who holds an id, and how far its transaction is.
//!
//! Pure. A transaction ends as a value, [`Ending`], which the state carries out in one atomic
//! write: markers, offsets and the transaction's own record. The epoch of an id never goes back;
//! whoever comes with an older one is fenced.

mod coordinator;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::coordinator::{Coordinator, Holder};
use crate::code::Code;
use crate::group::offsets::{Committed, Partition};

/// How far a transaction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// None has begun since the producer came.
    #[default]
    Empty,
    /// It has partitions or groups.
    Ongoing,
    /// The last one was committed.
    Committed,
    /// The last one was aborted.
    Aborted,
}

impl Phase {
    /// Its name in Kafka's tools.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::Committed => "CompleteCommit",
            Self::Aborted => "CompleteAbort",
        }
    }
}

/// The transactions of one transactional id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) phase: Phase,
    pub(crate) timeout_ms: i32,
    /// When it began, by the broker's clock.
    pub(crate) started: i64,
    /// When its producer was last heard from.
    pub(crate) touched: i64,
    pub(crate) partitions: BTreeSet<Partition>,
    pub(crate) groups: BTreeSet<String>,
    /// What it will commit, by group.
    pub(crate) offsets: BTreeMap<(String, Partition), Committed>,
    /// Until then the markers of the last one count as being written; not stored.
    pub(crate) busy_until: i64,
}

/// A transaction that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) id: String,
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) committed: bool,
    pub(crate) partitions: BTreeSet<Partition>,
    pub(crate) groups: BTreeSet<String>,
}

impl Transaction {
    /// Begins a transaction, unless one is open.
    fn begin(&mut self, now: i64) -> Result<(), Code> {
        self.touched = now;
        if self.phase == Phase::Ongoing {
            return Ok(());
        }
        if now < self.busy_until {
            return Err(Code::ConcurrentTransactions);
        }
        self.phase = Phase::Ongoing;
        self.started = now;
        Ok(())
    }

    /// The producer will write to these partitions.
    pub(crate) fn add_partitions(
        &mut self,
        partitions: impl IntoIterator<Item = Partition>,
        now: i64,
    ) -> Result<(), Code> {
        self.begin(now)?;
        self.partitions.extend(partitions);
        Ok(())
    }

    /// The producer will commit offsets of this group.
    pub(crate) fn add_group(&mut self, group: String, now: i64) -> Result<(), Code> {
        self.begin(now)?;
        self.groups.insert(group);
        Ok(())
    }

    /// Whether the transaction takes offsets of this group.
    pub(crate) fn takes_offsets_of(&self, group: &str) -> Result<(), Code> {
        let is_in = self.phase == Phase::Ongoing && self.groups.contains(group);
        if is_in {
            Ok(())
        } else {
            Err(Code::InvalidTxnState)
        }
    }

    /// Whether the transaction writes to this partition.
    pub(crate) fn writes_to(&self, partition: &Partition) -> Result<(), Code> {
        let is_in = self.phase == Phase::Ongoing && self.partitions.contains(partition);
        if is_in {
            Ok(())
        } else {
            Err(Code::InvalidTxnState)
        }
    }

    /// Ends it. Asked again for what is already so, it does nothing.
    pub(crate) fn end(&mut self, id: &str, committed: bool) -> Result<Option<Ending>, Code> {
        match (self.phase, committed) {
            (Phase::Ongoing, _) => Ok(Some(self.finish(id, committed))),
            (Phase::Committed, true) | (Phase::Aborted, false) => Ok(None),
            _ => Err(Code::InvalidTxnState),
        }
    }

    /// Fences the producer and aborts what it left open.
    pub(crate) fn expel(&mut self, id: &str) -> Option<Ending> {
        if self.phase != Phase::Ongoing {
            return None;
        }
        self.epoch += 1;
        Some(self.finish(id, false))
    }

    fn finish(&mut self, id: &str, committed: bool) -> Ending {
        self.phase = if committed {
            Phase::Committed
        } else {
            Phase::Aborted
        };
        self.offsets.clear();
        Ending {
            id: id.to_owned(),
            producer: self.producer,
            epoch: self.epoch,
            committed,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        }
    }
}
