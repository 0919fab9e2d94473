//! Topics: made, grown, deleted.

use std::collections::BTreeMap;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::delete_topics_response::{
    DeletableTopicResult, DeleteTopicsResponse,
};
use kafka_protocol::messages::{CreatePartitionsRequest, DeleteTopicsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Call, cluster};
use crate::code::Code;
use crate::state::{Effects, State, Stopped, text};
use crate::topic::config::SETTINGS;
use crate::topic::{self, Config};

/// Why something is refused: the code, and words for a person.
type Refusal = (Code, String);

pub(super) fn create(
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Stopped> {
    let validate_only = request.validate_only;
    call.shared.change(|state, effects| {
        let topics = request.topics.into_iter().map(|topic| {
            let made = create_topic(call, state, &topic, validate_only, effects);
            let answer = CreatableTopicResult::default().with_name(topic.name);
            match made {
                Err((code, why)) => answer
                    .with_error_code(code.code())
                    .with_error_message(Some(StrBytes::from_string(why)))
                    .with_num_partitions(-1)
                    .with_replication_factor(-1),
                Ok(made) if call.version >= 5 => answer
                    .with_topic_id(if call.version >= 7 {
                        made.id
                    } else {
                        Uuid::nil()
                    })
                    .with_num_partitions(made.partitions)
                    .with_replication_factor(1)
                    .with_configs(Some(configs(&made.config))),
                Ok(_) => answer,
            }
        });
        CreateTopicsResponse::default().with_topics(topics.collect())
    })
}

/// A topic as it was made, or would have been.
struct Made {
    id: Uuid,
    partitions: i32,
    config: Config,
}

fn create_topic(
    call: &Call<'_>,
    state: &mut State,
    asked: &CreatableTopic,
    validate_only: bool,
    effects: &mut Effects,
) -> Result<Made, Refusal> {
    let name = asked.name.as_str();
    if !topic::is_name(name) {
        let why =
            format!("`{name}` is no name for a topic: up to 249 letters, digits, `.`, `_`, `-`");
        return Err((Code::InvalidTopicException, why));
    }
    if state.topics.contains_key(name) {
        return Err((
            Code::TopicAlreadyExists,
            format!("topic `{name}` exists already"),
        ));
    }
    let partitions = match (asked.assignments.len(), asked.num_partitions) {
        (0, -1) => call.shared.settings.partitions,
        (0, count) => count,
        (count, _) => i32::try_from(count).unwrap_or(i32::MAX),
    };
    let count = usize::try_from(partitions)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| {
            (
                Code::InvalidPartitions,
                "a topic has at least one partition".to_owned(),
            )
        })?;
    room(call, state, count)?;
    let is_elsewhere = |nodes: &[kafka_protocol::messages::BrokerId]| nodes != [cluster::NODE];
    if asked
        .assignments
        .iter()
        .any(|it| is_elsewhere(&it.broker_ids))
    {
        return Err((
            Code::InvalidReplicaAssignment,
            "there is one node, 1".to_owned(),
        ));
    }
    if asked.assignments.is_empty() && !matches!(asked.replication_factor, -1 | 1) {
        let why = format!(
            "{} copies asked for, and there is one node",
            asked.replication_factor
        );
        return Err((Code::InvalidReplicationFactor, why));
    }
    let own: BTreeMap<String, String> = asked
        .configs
        .iter()
        .filter_map(|it| Some((it.name.to_string(), it.value.as_ref()?.to_string())))
        .collect();
    let config = Config::new(own).map_err(|why| (Code::InvalidConfig, why.to_string()))?;
    if validate_only {
        return Ok(Made {
            id: Uuid::nil(),
            partitions,
            config,
        });
    }
    let id = state.create_topic(name, count, config.clone(), cluster::opens(call), effects);
    Ok(Made {
        id,
        partitions,
        config,
    })
}

/// Whether there may be so many more partitions.
fn room(call: &Call<'_>, state: &State, more: usize) -> Result<(), Refusal> {
    let most = call.shared.settings.max_partitions;
    if state.partitions().saturating_add(more) > most {
        let why = format!("this broker holds {most} partitions at most");
        return Err((Code::InvalidPartitions, why));
    }
    Ok(())
}

fn configs(config: &Config) -> Vec<CreatableTopicConfigs> {
    let all = SETTINGS.iter().map(|setting| {
        let own = config.own().get(setting.name);
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(text(own.map_or(setting.default, String::as_str))))
            .with_config_source(if own.is_some() { 1 } else { 5 })
    });
    all.collect()
}

pub(super) fn delete(
    call: &Call<'_>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Stopped> {
    let names = request
        .topic_names
        .into_iter()
        .map(|name| (Some(name), Uuid::nil()));
    let states = request
        .topics
        .into_iter()
        .map(|topic| (topic.name, topic.topic_id));
    let asked: Vec<(Option<TopicName>, Uuid)> = if call.version >= 6 {
        states.collect()
    } else {
        names.collect()
    };
    call.shared.change(|state, effects| {
        let responses = asked.into_iter().map(|(name, id)| {
            let (name, missing) = match name {
                Some(name) => (Some(name.to_string()), Code::UnknownTopicOrPartition),
                None => (name_of(state, id), Code::UnknownTopicId),
            };
            let gone = name
                .as_deref()
                .and_then(|name| state.delete_topic(name, effects));
            let id = gone.as_ref().map_or(id, |topic| topic.id);
            DeletableTopicResult::default()
                .with_name(name.map(|name| StrBytes::from_string(name).into()))
                .with_topic_id(if call.version >= 6 { id } else { Uuid::nil() })
                .with_error_code(if gone.is_some() { 0 } else { missing.code() })
        });
        DeleteTopicsResponse::default().with_responses(responses.collect())
    })
}

fn name_of(state: &State, id: Uuid) -> Option<String> {
    let found = state.topics.iter().find(|(_, topic)| topic.id == id);
    found.map(|(name, _)| name.clone())
}

pub(super) fn create_partitions(
    call: &Call<'_>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Stopped> {
    let validate_only = request.validate_only;
    call.shared.change(|state, effects| {
        let results = request.topics.into_iter().map(|topic| {
            let result = grow(call, state, &topic, validate_only, effects);
            let answer = CreatePartitionsTopicResult::default().with_name(topic.name);
            match result {
                Ok(()) => answer,
                Err((code, why)) => answer
                    .with_error_code(code.code())
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        CreatePartitionsResponse::default().with_results(results.collect())
    })
}

fn grow(
    call: &Call<'_>,
    state: &mut State,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let name = asked.name.as_str();
    let Some(topic) = state.topics.get(name) else {
        return Err((
            Code::UnknownTopicOrPartition,
            format!("there is no topic `{name}`"),
        ));
    };
    let now = topic.partitions.len();
    let count = usize::try_from(asked.count).unwrap_or(0);
    if count <= now {
        let why = format!("topic `{name}` has {now} partitions, and their number only grows");
        return Err((Code::InvalidPartitions, why));
    }
    room(call, state, count - now)?;
    if validate_only {
        return Ok(());
    }
    if let Some(topic) = state.topics.get_mut(name) {
        topic.grow(count);
    }
    state.save_topic(name, effects);
    Ok(())
}
