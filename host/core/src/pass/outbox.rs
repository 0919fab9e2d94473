//! The outbox: rows for topics, checked and partitioned, in the order of their places.
//!
//! What a broker would refuse fails here, as a row, before it can fail the whole transaction.

use crate::partitioner::{partition, partition_without_key};
use crate::record::Batch;
use crate::time::Timestamp;
use crate::topology::{Plan, TopicFacts};

use super::effect::{Effects, Produce};
use super::flow::{Flow, merge};

/// What Kafka adds to one row at most: the batch's header, and the row's lengths and deltas.
const ROW_OVERHEAD: usize = 61 + 40;
/// What Kafka adds to a header's name and value at most.
const HEADER_OVERHEAD: usize = 10;

/// Rows bound for one topic.
#[derive(Debug)]
struct Bound {
    topic: String,
    /// Whether each row says its partition itself, in the first 4 bytes of its value.
    answers: bool,
    flows: Vec<Flow>,
}

/// Rows for topics, gathered during a pass.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    topics: Vec<Bound>,
}

impl Outbox {
    /// Takes rows for a topic; `answers`: each says its partition itself, in the first 4 bytes of
    /// its value (big-endian).
    pub(crate) fn take(&mut self, topic: &str, answers: bool, flow: Flow) {
        match self.topics.iter_mut().find(|bound| bound.topic == topic) {
            Some(bound) => bound.flows.push(flow),
            None => self.topics.push(Bound {
                topic: topic.to_owned(),
                answers,
                flows: vec![flow],
            }),
        }
    }

    /// The rows of each topic as one effect. `spread` tells rows without a key apart, by their
    /// sequence in the batch, and the same in a replay.
    pub(crate) fn finish(self, plan: &Plan, spread: &dyn Fn(usize) -> u64, effects: &mut Effects) {
        for Bound {
            topic,
            answers,
            flows,
        } in self.topics
        {
            let (flow, _) = merge(flows.into_iter().map(|flow| (0, flow)).collect());
            if flow.rows.is_empty() {
                continue;
            }
            let count = plan.partitions[&topic];
            let keyless =
                |row: usize| partition_without_key(spread(flow.places.sequence(row)), count);
            let by_key = |row: usize| match flow.rows.keys.get(row) {
                Some(key) => partition(key, count),
                None => keyless(row),
            };
            let by_value = |row: usize| {
                let first = flow.rows.values.get(row).and_then(<[u8]>::first_chunk);
                first.map_or(0, |first| u32::from_be_bytes(*first) % count)
            };
            let partitions = (0..flow.rows.len())
                .map(|row| if answers { by_value(row) } else { by_key(row) })
                .collect();
            effects.produce.push(Produce {
                topic,
                rows: flow.rows,
                partitions,
            });
        }
    }
}

/// Why the broker would refuse a row; `None`: it would not.
pub(crate) fn refusal(
    topic: &str,
    facts: &TopicFacts,
    rows: &Batch,
    row: usize,
    now: Timestamp,
) -> Option<String> {
    let (key, value) = (rows.keys.get(row), rows.values.get(row));
    let headers = rows.headers.iter().flat_map(|headers| headers.row(row));
    let headers: usize = headers
        .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len) + HEADER_OVERHEAD)
        .sum();
    let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers + ROW_OVERHEAD;
    let most = facts.max_message_bytes as usize;
    if bytes > most {
        return Some(format!(
            "the row has {bytes} bytes, but topic `{topic}` takes {most} (max.message.bytes)"
        ));
    }
    if key.is_none() && facts.compacted {
        return Some(format!(
            "topic `{topic}` is compacted, so each row needs a key, and this one has none"
        ));
    }
    let timestamp = rows.timestamps[row];
    if timestamp < 0 {
        return Some(format!(
            "topic `{topic}` takes no timestamp before 1970, and this row has {timestamp} ms"
        ));
    }
    match facts.max_ahead_ms {
        Some(most) if timestamp.saturating_sub(now.0) > most => {
            let ahead = timestamp.saturating_sub(now.0);
            Some(format!(
                "the row is stamped {ahead} ms ahead of the clock, but topic `{topic}` takes at \
                most {most} (message.timestamp.after.max.ms)"
            ))
        }
        _ => None,
    }
}
