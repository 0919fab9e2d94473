//! Transactional producers: init, add, end.

use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, EndTxnRequest,
    EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse,
};

use super::Call;
use crate::code::{Code, number};
use crate::state::shared::clock;
use crate::state::{Effects, State, Stopped};
use crate::txn::Holder;

/// How a client of that version is told that it was fenced: the name it knows.
pub(super) fn told(code: Code, version: i16) -> Code {
    if code == Code::ProducerFenced && version < 2 {
        Code::InvalidProducerEpoch
    } else {
        code
    }
}

pub(super) fn init_producer(
    call: &Call<'_>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Stopped> {
    let result = call
        .shared
        .change(|state, effects| match &request.transactional_id {
            None => Ok(Holder {
                producer: state.new_producer(effects),
                epoch: 0,
            }),
            Some(id) => init_transactional(call, state, id.as_str(), &request, effects),
        })?;
    let answer = InitProducerIdResponse::default();
    Ok(match result {
        Ok(holder) => answer
            .with_producer_id(holder.producer.into())
            .with_producer_epoch(holder.epoch),
        Err(code) => answer
            .with_error_code(told(code, call.version - 2).code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    })
}

fn init_transactional(
    call: &Call<'_>,
    state: &mut State,
    id: &str,
    request: &InitProducerIdRequest,
    effects: &mut Effects,
) -> Result<Holder, Code> {
    let timeout_ms = request.transaction_timeout_ms;
    let timeout = u64::try_from(timeout_ms).map(Duration::from_millis);
    let is_allowed = timeout
        .is_ok_and(|timeout| !timeout.is_zero() && timeout <= call.shared.settings.max_transaction);
    if id.is_empty() {
        return Err(Code::InvalidRequest);
    }
    if !is_allowed {
        return Err(Code::InvalidTransactionTimeout);
    }
    let known = (request.producer_id.0 >= 0).then_some(Holder {
        producer: request.producer_id.0,
        epoch: request.producer_epoch,
    });
    let now = clock();
    let (holder, ending) = state.coordinator.init(id, timeout_ms, known, now)?;
    if let Some(ending) = ending {
        state.finish(ending, now, effects);
    }
    state.save_producers(effects);
    state.save_transaction(id, effects);
    Ok(holder)
}

pub(super) fn add_partitions(
    call: &Call<'_>,
    request: AddPartitionsToTxnRequest,
) -> Result<AddPartitionsToTxnResponse, Stopped> {
    let id = request.v3_and_below_transactional_id.as_str();
    let holder = Holder {
        producer: request.v3_and_below_producer_id.0,
        epoch: request.v3_and_below_producer_epoch,
    };
    let topics = request.v3_and_below_topics;
    call.shared.change(|state, effects| {
        let asked = || {
            topics.iter().flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|partition| (topic.name.to_string(), *partition))
            })
        };
        let unknown = |(topic, partition): &(String, i32)| !state.has(topic, *partition);
        let has_unknown = asked().any(|partition| unknown(&partition));
        // One that cannot be added, and none is.
        let result = if has_unknown {
            Err(Code::OperationNotAttempted)
        } else {
            let held = state.coordinator.held(id, holder);
            held.and_then(|transaction| transaction.add_partitions(asked(), clock()))
                .map_err(|code| told(code, call.version))
        };
        if result.is_ok() {
            state.save_transaction(id, effects);
        }
        let results = topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let is_unknown = !state.has(&topic.name, *partition);
                let unknown = Code::UnknownTopicOrPartition.code();
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(*partition)
                    .with_partition_error_code(if is_unknown { unknown } else { number(&result) })
            });
            AddPartitionsToTxnTopicResult::default()
                .with_name(topic.name.clone())
                .with_results_by_partition(partitions.collect())
        });
        let results = results.collect();
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results)
    })
}

pub(super) fn add_offsets(
    call: &Call<'_>,
    request: AddOffsetsToTxnRequest,
) -> Result<AddOffsetsToTxnResponse, Stopped> {
    let id = request.transactional_id.as_str();
    let holder = Holder {
        producer: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let result = call.shared.change(|state, effects| {
        let transaction = state.coordinator.held(id, holder)?;
        transaction.add_group(request.group_id.to_string(), clock())?;
        state.save_transaction(id, effects);
        Ok(())
    })?;
    let result = result.map_err(|code| told(code, call.version));
    Ok(AddOffsetsToTxnResponse::default().with_error_code(number(&result)))
}

pub(super) fn end(call: &Call<'_>, request: EndTxnRequest) -> Result<EndTxnResponse, Stopped> {
    let id = request.transactional_id.as_str();
    let holder = Holder {
        producer: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let result = call.shared.change(|state, effects| {
        let ending = state
            .coordinator
            .held(id, holder)?
            .end(id, request.committed)?;
        if let Some(ending) = ending {
            let now = clock();
            let busy = call.shared.settings.delays.end_of_transaction.as_millis();
            state.finish(ending, now, effects);
            state
                .coordinator
                .keep_busy(id, now + i64::try_from(busy).unwrap_or(0));
        }
        Ok(())
    })?;
    let result = result.map_err(|code| told(code, call.version));
    Ok(EndTxnResponse::default().with_error_code(number(&result)))
}
