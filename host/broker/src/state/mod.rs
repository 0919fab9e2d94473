//! Everything that the broker knows, and the changes that concern more than one part of it.
//!
//! One lock guards it all ([`shared`]), which makes a request atomic for every reader; nothing here
//! waits or does input and output. Each change of what is kept goes into [`Effects`] as well.

mod cache;
mod ending;
pub(crate) mod shared;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use self::cache::Cache;
pub(crate) use self::shared::{Shared, Stopped};
use crate::code::Code;
use crate::group::offsets::Committed;
use crate::group::{Answers, Group};
use crate::log::head::{HEAD_BYTES, Head, placed};
use crate::log::{Kept, Log};
use crate::storage::{Changes, Table, layout};
use crate::topic::{self, Config, Topic};
use crate::txn::Coordinator;

/// What follows from a change: it is stored first, then the waiting are answered.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) changes: Changes,
    pub(crate) answers: Answers,
    /// Whether anything is stored at all.
    pub(crate) is_durable: bool,
}

/// The state of a broker.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cluster: Uuid,
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) groups: HashMap<String, Group>,
    pub(crate) coordinator: Coordinator,
    cache: Cache,
}

impl State {
    /// An empty one.
    pub(crate) fn new(cluster: Uuid) -> Self {
        Self {
            cluster,
            topics: BTreeMap::new(),
            groups: HashMap::new(),
            coordinator: Coordinator::default(),
            cache: Cache::default(),
        }
    }

    /// Sets how many bytes of stored batches stay in memory, too.
    pub(crate) fn set_cache(&mut self, bytes: usize) {
        self.cache.set_budget(bytes);
    }

    /// A partition that can be used at `now`.
    pub(crate) fn partition(
        &mut self,
        topic: &str,
        partition: i32,
        now: i64,
    ) -> Result<&mut topic::Partition, Code> {
        let topic = self
            .topics
            .get_mut(topic)
            .ok_or(Code::UnknownTopicOrPartition)?;
        let index = usize::try_from(partition).map_err(|_| Code::UnknownTopicOrPartition)?;
        let is_open = topic.opens <= now;
        let partition = topic
            .partitions
            .get_mut(index)
            .ok_or(Code::UnknownTopicOrPartition)?;
        if is_open {
            Ok(partition)
        } else {
            Err(Code::NotLeaderOrFollower)
        }
    }

    /// Whether there is such a partition.
    pub(crate) fn has(&self, topic: &str, partition: i32) -> bool {
        let index = usize::try_from(partition);
        let topic = self.topics.get(topic);
        topic.is_some_and(|topic| index.is_ok_and(|index| index < topic.partitions.len()))
    }

    /// Partitions of all topics together.
    pub(crate) fn partitions(&self) -> usize {
        self.topics
            .values()
            .map(|topic| topic.partitions.len())
            .sum()
    }

    /// Appends a batch that was admitted to a partition that exists; returns its offset.
    pub(crate) fn append(
        &mut self,
        (topic, partition): (&str, i32),
        batch: &Bytes,
        stamp: Option<i64>,
        now: i64,
        effects: &mut Effects,
    ) -> Result<i64, Code> {
        let topic = self
            .topics
            .get_mut(topic)
            .ok_or(Code::UnknownTopicOrPartition)?;
        let rolling = topic.config.rules().rolling;
        let index = usize::try_from(partition).map_err(|_| Code::UnknownTopicOrPartition)?;
        let place = topic
            .partitions
            .get_mut(index)
            .ok_or(Code::UnknownTopicOrPartition)?;
        let base = place.log.end();
        let batch = placed(batch, base, stamp);
        let head = Head::parse(&batch)?;
        let kept = if effects.is_durable {
            store_batch(&mut effects.changes, topic.id, partition, &batch, &head);
            Kept::Stored(self.cache.add(batch))
        } else {
            Kept::Here(batch)
        };
        let stable = place.log.last_stable();
        place.log.append(&head, kept, rolling, now);
        place.watchers.wake(place.log.last_stable() != stable);
        Ok(base)
    }

    /// Makes a topic.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: usize,
        config: Config,
        opens: i64,
        effects: &mut Effects,
    ) -> Uuid {
        let mut topic = Topic::new(Uuid::new_v4(), config, partitions);
        topic.opens = opens;
        topic.swept = opens;
        let id = topic.id;
        self.topics.insert(name.to_owned(), topic);
        self.save_topic(name, effects);
        id
    }

    /// Writes down a topic whose settings or partitions changed.
    pub(crate) fn save_topic(&self, name: &str, effects: &mut Effects) {
        if let Some(topic) = self.topics.get(name) {
            let value = layout::topic_value(topic);
            effects
                .changes
                .put(Table::Records, layout::topic_key(name), value);
        }
    }

    /// Deletes a topic, with what groups and transactions have of it.
    pub(crate) fn delete_topic(&mut self, name: &str, effects: &mut Effects) -> Option<Topic> {
        let mut topic = self.topics.remove(name)?;
        let changes = &mut effects.changes;
        changes.delete(Table::Records, layout::topic_key(name));
        for (index, place) in (0..).zip(&mut topic.partitions) {
            let end = place.log.end();
            for base in place.log.truncate_before(end) {
                delete_batch(changes, topic.id, index, base);
            }
            let key = layout::partition_key(layout::STARTS, topic.id, index);
            changes.delete(Table::Records, key);
            place.watchers.wake(true);
        }
        for (id, group) in &mut self.groups {
            for partition in group.offsets.forget_topic(name) {
                changes.delete(Table::Records, layout::offset_key(id, &partition));
            }
        }
        for id in self.coordinator.forget_topic(name) {
            self.save_transaction(&id, effects);
        }
        Some(topic)
    }

    /// Drops the records before `offset`.
    pub(crate) fn truncate(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        effects: &mut Effects,
    ) {
        let Some(topic) = self.topics.get_mut(topic) else {
            return;
        };
        let index = usize::try_from(partition).ok();
        let Some(place) = index.and_then(|index| topic.partitions.get_mut(index)) else {
            return;
        };
        for base in place.log.truncate_before(offset) {
            delete_batch(&mut effects.changes, topic.id, partition, base);
        }
        let key = layout::partition_key(layout::STARTS, topic.id, partition);
        let start = place.log.start().to_be_bytes().to_vec();
        effects.changes.put(Table::Records, key, start);
    }

    /// Commits an offset of a group.
    pub(crate) fn commit(
        &mut self,
        group: &str,
        partition: (String, i32),
        committed: Committed,
        effects: &mut Effects,
    ) {
        save_offset(group, &partition, &committed, &mut effects.changes);
        let group = self.groups.entry(group.to_owned()).or_default();
        group.offsets.commit(partition, committed);
    }

    /// Writes down a group whose members changed.
    pub(crate) fn save_group(&mut self, id: &str, effects: &mut Effects) {
        let saved = self.groups.get_mut(id).and_then(Group::take_saved);
        if let Some(saved) = saved {
            effects
                .changes
                .put(Table::Records, layout::group_key(id), saved);
        }
    }

    /// Writes down a transaction that changed.
    pub(crate) fn save_transaction(&self, id: &str, effects: &mut Effects) {
        if let Some(transaction) = self.coordinator.get(id) {
            let value = layout::transaction_value(transaction);
            effects
                .changes
                .put(Table::Records, layout::transaction_key(id), value);
        }
    }

    /// Gives out a producer id.
    pub(crate) fn new_producer(&mut self, effects: &mut Effects) -> i64 {
        let id = self.coordinator.new_producer();
        self.save_producers(effects);
        id
    }

    /// Writes down which producer ids were given out.
    pub(crate) fn save_producers(&self, effects: &mut Effects) {
        let last = self.coordinator.last_producer().to_be_bytes().to_vec();
        effects
            .changes
            .put(Table::Records, layout::PRODUCER_KEY.to_vec(), last);
    }

    /// The log of a topic's partition, whether or not it has a leader yet.
    pub(crate) fn log(&self, topic: &str, partition: usize) -> Option<&Log> {
        Some(&self.topics.get(topic)?.partitions.get(partition)?.log)
    }
}

/// Notes a batch and its header.
pub(crate) fn store_batch(
    changes: &mut Changes,
    topic: Uuid,
    partition: i32,
    batch: &Bytes,
    head: &Head,
) {
    let mut header = batch[..HEAD_BYTES].to_vec();
    if head.is_control() {
        // The type of the marker: after five bytes of the record and the key's version.
        header.push(batch[HEAD_BYTES + 8]);
    }
    let base = head.base;
    let key = layout::batch_key(layout::HEADS, topic, partition, base);
    changes.put(Table::Records, key, header);
    changes.put(
        Table::Batches,
        layout::batch_key(&[], topic, partition, base),
        batch.clone(),
    );
}

/// Notes that a batch is gone.
pub(crate) fn delete_batch(changes: &mut Changes, topic: Uuid, partition: i32, base: i64) {
    changes.delete(
        Table::Records,
        layout::batch_key(layout::HEADS, topic, partition, base),
    );
    changes.delete(
        Table::Batches,
        layout::batch_key(&[], topic, partition, base),
    );
}

fn save_offset(
    group: &str,
    partition: &(String, i32),
    committed: &Committed,
    changes: &mut Changes,
) {
    let mut value = Vec::with_capacity(32);
    layout::put_committed(&mut value, committed);
    changes.put(Table::Records, layout::offset_key(group, partition), value);
}

/// A text for an answer.
pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
