//! Produce: batches are judged, placed and stored.
//!
//! What needs the bytes (checksum, keys) is looked at before the lock is taken; what needs the
//! state (settings, sequences, transactions) under it. A batch stays as it was sent.

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest};
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};

use super::Call;
use crate::code::Code;
use crate::log::head::Head;
use crate::log::{Admission, records};
use crate::state::shared::clock;
use crate::state::{Effects, State, Stopped, text};
use crate::topic::config::Rules;
use crate::txn::Holder;

/// A batch on its way into a partition.
struct Sent {
    index: i32,
    batch: Result<(Bytes, Head), Code>,
}

/// Where a batch now stands.
struct Placed {
    base: i64,
    log_start: i64,
    stamp: Option<i64>,
}

pub(super) fn produce(
    call: &Call<'_>,
    request: ProduceRequest,
) -> Result<ProduceResponse, Stopped> {
    let compacted: Vec<bool> = call.shared.look(|state| {
        let topics = request
            .topic_data
            .iter()
            .map(|data| state.topics.get(data.name.as_str()));
        topics
            .map(|topic| topic.is_some_and(|it| it.config.rules().is_compacted))
            .collect()
    });
    let sent: Vec<_> = request
        .topic_data
        .into_iter()
        .zip(compacted)
        .map(|(data, needs_keys)| {
            let partitions = data.partition_data.into_iter();
            (
                data.name,
                partitions
                    .map(|part| sent(part, needs_keys))
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    call.shared.change(|state, effects| {
        let responses = sent.into_iter().map(|(name, partitions)| {
            let answers = partitions.into_iter().map(|sent| {
                let index = sent.index;
                respond(index, append(state, &name, sent, effects))
            });
            let answers = answers.collect();
            TopicProduceResponse::default()
                .with_name(name)
                .with_partition_responses(answers)
        });
        ProduceResponse::default().with_responses(responses.collect())
    })
}

/// Looks at the bytes of a batch.
fn sent(data: PartitionProduceData, needs_keys: bool) -> Sent {
    let batch = data.records.ok_or(Code::InvalidRecord).and_then(|batch| {
        let head = Head::parse(&batch)?;
        if head.size != batch.len() {
            // One batch for each partition is the rule of this format.
            return Err(Code::InvalidRecord);
        }
        head.verify(&batch)?;
        let is_keyed = !needs_keys
            || records::of(&batch, &head)?
                .iter()
                .all(|record| record.key.is_some());
        if is_keyed {
            Ok((batch, head))
        } else {
            Err(Code::InvalidRecord)
        }
    });
    Sent {
        index: data.index,
        batch,
    }
}

fn append(
    state: &mut State,
    topic: &str,
    sent: Sent,
    effects: &mut Effects,
) -> Result<Placed, Code> {
    let now = clock();
    let index = sent.index;
    state.partition(topic, index, now)?;
    let (batch, head) = sent.batch?;
    let rules = *state
        .topics
        .get(topic)
        .ok_or(Code::UnknownTopicOrPartition)?
        .config
        .rules();
    check(&rules, &head, now)?;
    if head.is_transactional() {
        let holder = Holder {
            producer: head.producer,
            epoch: head.epoch,
        };
        state
            .coordinator
            .may_write(holder, &(topic.to_owned(), index))?;
    }
    let place = state.partition(topic, index, now)?;
    let log_start = place.log.start();
    let stamp = rules.stamps.then_some(now);
    let base = match place.log.admit(&head)? {
        Admission::Duplicate(base) => base,
        Admission::New => state.append((topic, index), &batch, stamp, now, effects)?,
    };
    Ok(Placed {
        base,
        log_start,
        stamp,
    })
}

/// The rules of a topic about a batch.
fn check(rules: &Rules, head: &Head, now: i64) -> Result<(), Code> {
    if head.size > rules.max_message_bytes {
        return Err(Code::MessageTooLarge);
    }
    let is_early =
        head.base_timestamp >= 0 && now.saturating_sub(head.base_timestamp) > rules.before_max_ms;
    let is_late = head.max_timestamp.saturating_sub(now) > rules.after_max_ms;
    if !rules.stamps && (is_early || is_late) {
        return Err(Code::InvalidTimestamp);
    }
    Ok(())
}

fn respond(index: i32, result: Result<Placed, Code>) -> PartitionProduceResponse {
    let answer = PartitionProduceResponse::default().with_index(index);
    match result {
        Ok(placed) => answer
            .with_base_offset(placed.base)
            .with_log_start_offset(placed.log_start)
            .with_log_append_time_ms(placed.stamp.unwrap_or(-1)),
        Err(code) => {
            let reason = text(&code.to_string());
            answer
                .with_error_code(code.code())
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_error_message(Some(reason))
        }
    }
}
