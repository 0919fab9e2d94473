//! The offsets that a group has committed, and those that open transactions will commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A partition: topic and number.
pub(crate) type Partition = (String, i32);

/// A committed position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    /// When, by the broker's clock.
    pub(crate) at: i64,
}

/// All positions of a group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<Partition, Committed>,
    /// By producer id.
    pending: HashMap<i64, BTreeMap<Partition, Committed>>,
}

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    pub(crate) fn get(&self, partition: &Partition) -> Option<&Committed> {
        self.committed.get(partition)
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.committed.keys()
    }

    pub(crate) fn commit(&mut self, partition: Partition, committed: Committed) {
        self.committed.insert(partition, committed);
    }

    pub(crate) fn remove(&mut self, partition: &Partition) -> bool {
        self.committed.remove(partition).is_some()
    }

    /// A transaction will commit this, if it commits.
    pub(crate) fn promise(&mut self, producer: i64, partition: Partition, offset: Committed) {
        self.pending
            .entry(producer)
            .or_default()
            .insert(partition, offset);
    }

    /// Whether an open transaction holds a position of this partition.
    pub(crate) fn is_pending(&self, partition: &Partition) -> bool {
        self.pending
            .values()
            .any(|promised| promised.contains_key(partition))
    }

    /// Ends a transaction; returns what is now committed.
    pub(crate) fn settle(&mut self, producer: i64, committed: bool) -> Vec<(Partition, Committed)> {
        let promised = self.pending.remove(&producer).unwrap_or_default();
        if !committed {
            return Vec::new();
        }
        for (partition, offset) in &promised {
            self.committed.insert(partition.clone(), offset.clone());
        }
        promised.into_iter().collect()
    }

    /// Takes out what belongs to a topic; returns the partitions that had a position.
    pub(crate) fn forget_topic(&mut self, topic: &str) -> Vec<Partition> {
        for promised in self.pending.values_mut() {
            promised.retain(|(name, _), _| name != topic);
        }
        self.take_out(|(name, _), _| name == topic)
    }

    /// Takes out what was committed before `before`, but for the topics that are being read.
    pub(crate) fn expire(&mut self, before: i64, read: &BTreeSet<String>) -> Vec<Partition> {
        self.take_out(|(topic, _), committed| committed.at < before && !read.contains(topic))
    }

    fn take_out(
        &mut self,
        mut is_gone: impl FnMut(&Partition, &Committed) -> bool,
    ) -> Vec<Partition> {
        let gone: Vec<Partition> = self
            .committed
            .iter()
            .filter(|(partition, committed)| is_gone(partition, committed))
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in &gone {
            self.committed.remove(partition);
        }
        gone
    }
}
