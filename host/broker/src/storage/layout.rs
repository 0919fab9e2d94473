//! How things are written down: keys that sort as they should, values without a library.
//!
//! Every key begins with a letter for its kind. A change of this layout needs a new [`VERSION`].

use std::collections::BTreeMap;

use bytes::{Buf, BufMut};
use uuid::Uuid;

use crate::group::offsets::{Committed, Partition};
use crate::topic::{Config, Topic};
use crate::txn::{Phase, Transaction};

/// Written into every folder; a folder of another version is refused.
pub(crate) const VERSION: u32 = 1;
pub(crate) const VERSION_KEY: &[u8] = b"v";
/// The last producer id that was given out.
pub(crate) const PRODUCER_KEY: &[u8] = b"p";
/// The id of this cluster.
pub(crate) const CLUSTER_KEY: &[u8] = b"c";
pub(crate) const TOPICS: &[u8] = b"t";
/// Where the log of a partition starts.
pub(crate) const STARTS: &[u8] = b"s";
/// The headers of batches.
pub(crate) const HEADS: &[u8] = b"h";
pub(crate) const OFFSETS: &[u8] = b"o";
/// Members of groups.
pub(crate) const GROUPS: &[u8] = b"g";
pub(crate) const TRANSACTIONS: &[u8] = b"x";

/// The key of a topic.
pub(crate) fn topic_key(name: &str) -> Vec<u8> {
    [TOPICS, name.as_bytes()].concat()
}

/// A topic from its value.
pub(crate) fn topic(mut value: &[u8]) -> Result<Topic, Malformed> {
    let bytes = &mut value;
    let id = Uuid::from_slice(bytes.get(..16).ok_or(Malformed)?).map_err(|_| Malformed)?;
    bytes.advance(16);
    let partitions = bytes.try_get_u32().map_err(|_| Malformed)?;
    let mut own = BTreeMap::new();
    while bytes.has_remaining() {
        own.insert(text(bytes)?, text(bytes)?);
    }
    let config = Config::new(own).map_err(|_| Malformed)?;
    Ok(Topic::new(id, config, partitions as usize))
}

/// The value of a topic.
pub(crate) fn topic_value(topic: &Topic) -> Vec<u8> {
    let mut out = topic.id.as_bytes().to_vec();
    let partitions = u32::try_from(topic.partitions.len()).expect("partitions are limited");
    out.extend_from_slice(&partitions.to_be_bytes());
    for (name, value) in topic.config.own() {
        put_text(&mut out, name);
        put_text(&mut out, value);
    }
    out
}

/// The key of something that a partition has once.
pub(crate) fn partition_key(kind: &[u8], topic: Uuid, partition: i32) -> Vec<u8> {
    let mut key = Vec::with_capacity(29);
    key.put_slice(kind);
    key.put_slice(topic.as_bytes());
    key.put_i32(partition);
    key
}

/// The key of a batch's header; without the letter, of its bytes.
pub(crate) fn batch_key(kind: &[u8], topic: Uuid, partition: i32, base: i64) -> Vec<u8> {
    let mut key = partition_key(kind, topic, partition);
    key.put_i64(base);
    key
}

/// The key of a committed offset.
pub(crate) fn offset_key(group: &str, (topic, partition): &Partition) -> Vec<u8> {
    let mut key = OFFSETS.to_vec();
    put_text(&mut key, group);
    put_text(&mut key, topic);
    key.put_i32(*partition);
    key
}

/// The key of a group's members.
pub(crate) fn group_key(group: &str) -> Vec<u8> {
    [GROUPS, group.as_bytes()].concat()
}

/// The key of a transaction.
pub(crate) fn transaction_key(id: &str) -> Vec<u8> {
    [TRANSACTIONS, id.as_bytes()].concat()
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u32(u32::try_from(text.len()).expect("a text of the protocol is small"));
    out.put_slice(text.as_bytes());
}

/// A value that ends too early, or holds what it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) fn text(bytes: &mut &[u8]) -> Result<String, Malformed> {
    let length = bytes.try_get_u32().map_err(|_| Malformed)? as usize;
    let text = bytes.get(..length).ok_or(Malformed)?;
    bytes.advance(length);
    String::from_utf8(text.to_vec()).map_err(|_| Malformed)
}

pub(crate) fn put_committed(out: &mut Vec<u8>, committed: &Committed) {
    out.put_i64(committed.offset);
    out.put_i32(committed.leader_epoch);
    out.put_i64(committed.at);
    put_text(out, &committed.metadata);
}

pub(crate) fn committed(bytes: &mut &[u8]) -> Result<Committed, Malformed> {
    Ok(Committed {
        offset: bytes.try_get_i64().map_err(|_| Malformed)?,
        leader_epoch: bytes.try_get_i32().map_err(|_| Malformed)?,
        at: bytes.try_get_i64().map_err(|_| Malformed)?,
        metadata: text(bytes)?,
    })
}

pub(crate) fn put_partition(out: &mut Vec<u8>, (topic, partition): &Partition) {
    put_text(out, topic);
    out.put_i32(*partition);
}

pub(crate) fn partition(bytes: &mut &[u8]) -> Result<Partition, Malformed> {
    Ok((text(bytes)?, bytes.try_get_i32().map_err(|_| Malformed)?))
}

/// A transaction as a value.
pub(crate) fn transaction_value(transaction: &Transaction) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.put_i64(transaction.producer);
    out.put_i16(transaction.epoch);
    out.put_u8(match transaction.phase {
        Phase::Empty => 0,
        Phase::Ongoing => 1,
        Phase::Committed => 2,
        Phase::Aborted => 3,
    });
    out.put_i32(transaction.timeout_ms);
    out.put_i64(transaction.started);
    out.put_i64(transaction.touched);
    put_count(&mut out, transaction.partitions.len());
    for partition in &transaction.partitions {
        put_partition(&mut out, partition);
    }
    put_count(&mut out, transaction.groups.len());
    for group in &transaction.groups {
        put_text(&mut out, group);
    }
    put_count(&mut out, transaction.offsets.len());
    for ((group, partition), committed) in &transaction.offsets {
        put_text(&mut out, group);
        put_partition(&mut out, partition);
        put_committed(&mut out, committed);
    }
    out
}

/// A transaction from its value.
pub(crate) fn transaction(mut bytes: &[u8]) -> Result<Transaction, Malformed> {
    let bytes = &mut bytes;
    let mut transaction = Transaction {
        producer: bytes.try_get_i64().map_err(|_| Malformed)?,
        epoch: bytes.try_get_i16().map_err(|_| Malformed)?,
        phase: match bytes.try_get_u8().map_err(|_| Malformed)? {
            0 => Phase::Empty,
            1 => Phase::Ongoing,
            2 => Phase::Committed,
            3 => Phase::Aborted,
            _ => return Err(Malformed),
        },
        timeout_ms: bytes.try_get_i32().map_err(|_| Malformed)?,
        started: bytes.try_get_i64().map_err(|_| Malformed)?,
        touched: bytes.try_get_i64().map_err(|_| Malformed)?,
        ..Transaction::default()
    };
    for _ in 0..count(bytes)? {
        transaction.partitions.insert(partition(bytes)?);
    }
    for _ in 0..count(bytes)? {
        transaction.groups.insert(text(bytes)?);
    }
    for _ in 0..count(bytes)? {
        let key = (text(bytes)?, partition(bytes)?);
        transaction.offsets.insert(key, committed(bytes)?);
    }
    Ok(transaction)
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.put_u32(u32::try_from(count).expect("a transaction's lists are short"));
}

fn count(bytes: &mut &[u8]) -> Result<u32, Malformed> {
    bytes.try_get_u32().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_transaction_comes_back_as_it_was_and_a_torn_one_not_at_all() {
        let orders = ("orders".to_owned(), 3);
        let position = Committed {
            offset: 9,
            leader_epoch: -1,
            metadata: "here".to_owned(),
            at: 7,
        };
        let transaction_ = Transaction {
            producer: 1,
            epoch: 2,
            phase: Phase::Ongoing,
            timeout_ms: 3,
            started: 4,
            touched: 5,
            partitions: [orders.clone()].into(),
            groups: ["g".to_owned()].into(),
            offsets: [(("g".to_owned(), orders), position)].into(),
            busy_until: 0,
        };
        let value = transaction_value(&transaction_);
        assert_eq!(transaction(&value).unwrap(), transaction_);
        for cut in 0..value.len() {
            assert_eq!(transaction(&value[..cut]), Err(Malformed));
        }
    }
}
