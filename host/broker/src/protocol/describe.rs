//! Producers and transactions, as administrators see them.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::describe_transactions_response::{
    DescribeTransactionsResponse, TopicData, TransactionState,
};
use kafka_protocol::messages::list_transactions_response::{
    ListTransactionsResponse, TransactionState as Listed,
};
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use crate::code::Code;
use crate::log::Log;
use crate::state::shared::clock;
use crate::state::{Stopped, text};
use crate::txn::{Phase, Transaction};

pub(super) fn producers(
    call: &Call<'_>,
    request: DescribeProducersRequest,
) -> Result<DescribeProducersResponse, Stopped> {
    Ok(call.shared.watch(|state| {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let answer = PartitionResponse::default().with_partition_index(*index);
                match state.partition(&topic.name, *index, clock()) {
                    Ok(place) => answer.with_active_producers(active(&place.log)),
                    Err(code) => answer.with_error_code(code.code()),
                }
            });
            let partitions = partitions.collect();
            TopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        });
        DescribeProducersResponse::default().with_topics(topics.collect())
    }))
}

fn active(log: &Log) -> Vec<ProducerState> {
    let all = log.producers().iter().map(|(id, producer)| {
        ProducerState::default()
            .with_producer_id(id.into())
            .with_producer_epoch(i32::from(producer.epoch))
            .with_last_sequence(producer.last_sequence())
            .with_last_timestamp(producer.seen)
            .with_coordinator_epoch(0)
            .with_current_txn_start_offset(log.isolation().open_since(id).unwrap_or(-1))
    });
    all.collect()
}

pub(super) fn transactions(
    call: &Call<'_>,
    request: DescribeTransactionsRequest,
) -> Result<DescribeTransactionsResponse, Stopped> {
    let states = call.shared.look(|state| {
        let states = request.transactional_ids.into_iter().map(|id| {
            let transaction = state.coordinator.get(id.as_str());
            let answer = TransactionState::default().with_transactional_id(id);
            match transaction {
                Some(transaction) => described(answer, transaction),
                None => answer.with_error_code(Code::TransactionalIdNotFound.code()),
            }
        });
        states.collect()
    });
    Ok(DescribeTransactionsResponse::default().with_transaction_states(states))
}

fn described(answer: TransactionState, transaction: &Transaction) -> TransactionState {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in &transaction.partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        TopicData::default()
            .with_topic(text(topic).into())
            .with_partitions(partitions)
    });
    let is_open = transaction.phase == Phase::Ongoing;
    answer
        .with_transaction_state(StrBytes::from_static_str(transaction.phase.name()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(if is_open { transaction.started } else { -1 })
        .with_producer_id(transaction.producer.into())
        .with_producer_epoch(transaction.epoch)
        .with_topics(topics.collect())
}

pub(super) fn list_transactions(
    call: &Call<'_>,
    request: ListTransactionsRequest,
) -> Result<ListTransactionsResponse, Stopped> {
    let now = clock();
    let states = call.shared.look(|state| {
        let is_asked = |transaction: &Transaction| {
            let name = transaction.phase.name();
            let states = &request.state_filters;
            let producers = &request.producer_id_filters;
            let age = now.saturating_sub(transaction.started);
            (states.is_empty() || states.iter().any(|state| state.as_str() == name))
                && (producers.is_empty() || producers.iter().any(|id| id.0 == transaction.producer))
                && (request.duration_filter < 0
                    || (transaction.phase == Phase::Ongoing && age > request.duration_filter))
        };
        let all = state
            .coordinator
            .iter()
            .filter(|(_, transaction)| is_asked(transaction));
        let all = all.map(|(id, transaction)| {
            Listed::default()
                .with_transactional_id(text(id).into())
                .with_producer_id(transaction.producer.into())
                .with_transaction_state(StrBytes::from_static_str(transaction.phase.name()))
        });
        all.collect()
    });
    Ok(ListTransactionsResponse::default().with_transaction_states(states))
}
