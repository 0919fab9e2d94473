//! Settings of topics: shown and changed. Those of the broker are few, and only shown.

use std::collections::BTreeMap;

use kafka_protocol::messages::alter_configs_response::{
    AlterConfigsResourceResponse as AlteredResource, AlterConfigsResponse,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use crate::code::Code;
use crate::config::Settings;
use crate::state::{Effects, State, Stopped, text};
use crate::topic::Config;
use crate::topic::config::{Invalid, Kind, SETTINGS, find};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a value comes from.
const FROM_TOPIC: i8 = 1;
const FROM_BROKER: i8 = 4;
const BY_DEFAULT: i8 = 5;

type Refusal = (Code, String);

pub(super) fn describe(
    call: &Call<'_>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Stopped> {
    let results = call.shared.look(|state| {
        let results = request.resources.into_iter().map(|resource| {
            let shown = match resource.resource_type {
                TOPIC => of_topic(state, resource.resource_name.as_str()),
                BROKER => Ok(of_broker(&call.shared.settings)),
                _ => Err((
                    Code::InvalidRequest,
                    "only topics and brokers have settings".into(),
                )),
            };
            let answer = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match shown {
                Ok(all) => answer.with_configs(asked(all, &resource)),
                Err((code, why)) => answer
                    .with_error_code(code.code())
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        results.collect()
    });
    Ok(DescribeConfigsResponse::default().with_results(results))
}

/// Those that a request names; all if it names none.
fn asked(
    all: Vec<DescribeConfigsResourceResult>,
    resource: &DescribeConfigsResource,
) -> Vec<DescribeConfigsResourceResult> {
    let keys = resource
        .configuration_keys
        .as_ref()
        .filter(|keys| !keys.is_empty());
    let is_asked =
        |shown: &DescribeConfigsResourceResult| keys.is_none_or(|keys| keys.contains(&shown.name));
    all.into_iter().filter(is_asked).collect()
}

fn of_topic(state: &State, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let topic = state.topics.get(name).ok_or_else(|| unknown(name))?;
    let shown = SETTINGS.iter().map(|setting| {
        let own = topic.config.own().get(setting.name);
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(text(own.map_or(setting.default, String::as_str))))
            .with_config_source(if own.is_some() {
                FROM_TOPIC
            } else {
                BY_DEFAULT
            })
            .with_config_type(setting.kind.number())
    });
    Ok(shown.collect())
}

fn of_broker(settings: &Settings) -> Vec<DescribeConfigsResourceResult> {
    let shown = [
        (
            "auto.create.topics.enable",
            settings.auto_create.to_string(),
        ),
        ("default.replication.factor", "1".to_owned()),
        (
            "group.max.session.timeout.ms",
            settings.max_session.as_millis().to_string(),
        ),
        (
            "group.min.session.timeout.ms",
            settings.min_session.as_millis().to_string(),
        ),
        ("num.partitions", settings.partitions.to_string()),
        (
            "socket.request.max.bytes",
            settings.max_request_bytes.to_string(),
        ),
        (
            "transaction.max.timeout.ms",
            settings.max_transaction.as_millis().to_string(),
        ),
    ];
    let shown = shown.into_iter().map(|(name, value)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value)))
            .with_read_only(true)
            .with_config_source(FROM_BROKER)
    });
    shown.collect()
}

fn unknown(name: &str) -> Refusal {
    (
        Code::UnknownTopicOrPartition,
        format!("there is no topic `{name}`"),
    )
}

pub(super) fn alter(
    call: &Call<'_>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Stopped> {
    call.shared.change(|state, effects| {
        let responses = request.resources.into_iter().map(|resource| {
            let own = resource
                .configs
                .iter()
                .filter_map(|it| Some((it.name.to_string(), it.value.as_ref()?.to_string())));
            let own = own.collect();
            let (kind, name) = (resource.resource_type, resource.resource_name);
            let result = topic_of(kind, &name, state)
                .and_then(|_| replace(state, &name, own, request.validate_only, effects));
            let answer = AlteredResource::default()
                .with_resource_type(kind)
                .with_resource_name(name);
            match result {
                Ok(()) => answer,
                Err((code, why)) => answer
                    .with_error_code(code.code())
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        AlterConfigsResponse::default().with_responses(responses.collect())
    })
}

pub(super) fn alter_incrementally(
    call: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Stopped> {
    call.shared.change(|state, effects| {
        let responses = request.resources.into_iter().map(|resource| {
            let (kind, name) = (resource.resource_type, resource.resource_name);
            let result = topic_of(kind, &name, state)
                .and_then(|own| altered(own, &resource.configs))
                .and_then(|own| replace(state, &name, own, request.validate_only, effects));
            let answer = AlterConfigsResourceResponse::default()
                .with_resource_type(kind)
                .with_resource_name(name);
            match result {
                Ok(()) => answer,
                Err((code, why)) => answer
                    .with_error_code(code.code())
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
    })
}

/// The settings that the topic has now.
fn topic_of(kind: i8, name: &str, state: &State) -> Result<BTreeMap<String, String>, Refusal> {
    if kind != TOPIC {
        let why = "only the settings of topics can be changed while the broker runs";
        return Err((Code::InvalidRequest, why.to_owned()));
    }
    state
        .topics
        .get(name)
        .map(|topic| topic.config.own().clone())
        .ok_or_else(|| unknown(name))
}

fn altered(
    mut own: BTreeMap<String, String>,
    changes: &[AlterableConfig],
) -> Result<BTreeMap<String, String>, Refusal> {
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;
    let invalid = |why: Invalid| (Code::InvalidConfig, why.to_string());
    for change in changes {
        let name = change.name.to_string();
        let setting = find(&name).ok_or_else(|| invalid(Invalid::Unknown(name.clone())))?;
        let value = change.value.as_deref().unwrap_or_default();
        match change.config_operation {
            DELETE => {
                own.remove(&name);
            }
            APPEND | SUBTRACT => {
                if !matches!(setting.kind, Kind::List(_)) {
                    return Err(invalid(Invalid::NotAList(name)));
                }
                let now = own.get(&name).map_or(setting.default, String::as_str);
                let given: Vec<&str> = value.split(',').collect();
                let mut words: Vec<&str> = now
                    .split(',')
                    .filter(|word| !word.is_empty() && !given.contains(word))
                    .collect();
                if change.config_operation == APPEND {
                    words.extend(given);
                }
                let words = words.join(",");
                own.insert(name, words);
            }
            _ => {
                own.insert(name, value.to_owned());
            }
        }
    }
    Ok(own)
}

fn replace(
    state: &mut State,
    name: &str,
    own: BTreeMap<String, String>,
    validate_only: bool,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let config = Config::new(own).map_err(|why| (Code::InvalidConfig, why.to_string()))?;
    if validate_only {
        return Ok(());
    }
    if let Some(topic) = state.topics.get_mut(name) {
        topic.config = config;
    }
    state.save_topic(name, effects);
    Ok(())
}
