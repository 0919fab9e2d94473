//! What a client asks first: versions, brokers, topics, coordinators. There is one node.

use std::collections::BTreeMap;

use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::describe_cluster_response::{
    DescribeClusterBroker, DescribeClusterResponse,
};
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::messages::metadata_request::MetadataRequest;
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, DescribeClusterRequest, FindCoordinatorRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Call, OFFERED};
use crate::code::Code;
use crate::state::shared::clock;
use crate::state::{Effects, State, Stopped, text};
use crate::topic::{self, Config, Topic};

/// The node's id.
pub(super) const NODE: BrokerId = BrokerId(1);

impl Call<'_> {
    /// Host and port, as the client came by them.
    fn address(&self) -> (StrBytes, u16) {
        let local = self.connection.local;
        (text(&local.ip().to_string()), local.port())
    }
}

pub(super) fn api_versions(
    _: &Call<'_>,
    _: ApiVersionsRequest,
) -> Result<ApiVersionsResponse, Stopped> {
    Ok(versions(None))
}

/// The answer to a request for versions that is itself of an unknown version.
pub(super) fn unsupported_versions() -> ApiVersionsResponse {
    versions(Some(Code::UnsupportedVersion))
}

fn versions(code: Option<Code>) -> ApiVersionsResponse {
    let keys = OFFERED.iter().map(|offered| {
        ApiVersion::default()
            .with_api_key(offered.api as i16)
            .with_min_version(offered.told())
            .with_max_version(offered.most)
    });
    ApiVersionsResponse::default()
        .with_error_code(code.map_or(0, |code| code.code()))
        .with_api_keys(keys.collect())
}

pub(super) fn describe_cluster(
    call: &Call<'_>,
    _: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Stopped> {
    let (host, port) = call.address();
    let node = DescribeClusterBroker::default()
        .with_broker_id(NODE)
        .with_host(host)
        .with_port(i32::from(port));
    let cluster = call.shared.look(|state| state.cluster);
    Ok(DescribeClusterResponse::default()
        .with_cluster_id(text(&cluster.to_string()))
        .with_controller_id(NODE)
        .with_brokers(vec![node]))
}

pub(super) fn find_coordinator(
    call: &Call<'_>,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Stopped> {
    let (host, port) = call.address();
    let port = i32::from(port);
    // Groups and transactions; nothing else has a coordinator here.
    let code = if matches!(request.key_type, 0 | 1) {
        0
    } else {
        Code::InvalidRequest.code()
    };
    let answer = FindCoordinatorResponse::default();
    if call.version < 4 {
        return Ok(answer
            .with_error_code(code)
            .with_node_id(NODE)
            .with_host(host)
            .with_port(port));
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(code)
            .with_node_id(NODE)
            .with_host(host.clone())
            .with_port(port)
    });
    Ok(answer.with_coordinators(coordinators.collect()))
}

pub(super) fn metadata(
    call: &Call<'_>,
    request: MetadataRequest,
) -> Result<MetadataResponse, Stopped> {
    let settings = &call.shared.settings;
    let may_create =
        settings.auto_create && (call.version < 4 || request.allow_auto_topic_creation);
    let asked = request
        .topics
        .filter(|topics| call.version > 0 || !topics.is_empty());
    let (cluster, topics) = match asked {
        None => call.shared.look(|state| {
            let all = state
                .topics
                .iter()
                .map(|(name, topic)| described(name, topic));
            (state.cluster, all.collect())
        }),
        Some(asked) => call.shared.change(|state, effects| {
            let topics = asked.into_iter().map(|topic| match topic.name {
                Some(name) => by_name(call, state, &name, may_create, effects),
                None => by_id(state, topic.topic_id),
            });
            let topics = topics.collect::<Vec<_>>();
            (state.cluster, topics)
        })?,
    };
    let (host, port) = call.address();
    let node = MetadataResponseBroker::default()
        .with_node_id(NODE)
        .with_host(host)
        .with_port(i32::from(port));
    Ok(MetadataResponse::default()
        .with_brokers(vec![node])
        .with_cluster_id(Some(text(&cluster.to_string())))
        .with_controller_id(NODE)
        .with_topics(topics))
}

fn by_name(
    call: &Call<'_>,
    state: &mut State,
    name: &TopicName,
    may_create: bool,
    effects: &mut Effects,
) -> MetadataResponseTopic {
    if !state.topics.contains_key(name.as_str()) {
        let created = create(call, state, name, may_create, effects);
        if let Err(code) = created {
            return MetadataResponseTopic::default()
                .with_name(Some(name.clone()))
                .with_error_code(code.code());
        }
    }
    described(name, &state.topics[name.as_str()])
}

/// Makes a topic because somebody asked for it.
fn create(
    call: &Call<'_>,
    state: &mut State,
    name: &str,
    may_create: bool,
    effects: &mut Effects,
) -> Result<(), Code> {
    let settings = &call.shared.settings;
    if !topic::is_name(name) {
        return Err(Code::InvalidTopicException);
    }
    let partitions = usize::try_from(settings.partitions).unwrap_or(1).max(1);
    if !may_create || state.partitions() + partitions > settings.max_partitions {
        return Err(Code::UnknownTopicOrPartition);
    }
    let config = Config::new(BTreeMap::new()).expect("the defaults are valid");
    state.create_topic(name, partitions, config, opens(call), effects);
    Ok(())
}

/// When a topic that is made now can be used.
pub(super) fn opens(call: &Call<'_>) -> i64 {
    let delay = call.shared.settings.delays.new_topic.as_millis();
    clock().saturating_add(i64::try_from(delay).unwrap_or(i64::MAX))
}

fn by_id(state: &State, id: Uuid) -> MetadataResponseTopic {
    let found = state.topics.iter().find(|(_, topic)| topic.id == id);
    match found {
        Some((name, topic)) => described(name, topic),
        None => MetadataResponseTopic::default()
            .with_name(None)
            .with_topic_id(id)
            .with_error_code(Code::UnknownTopicId.code()),
    }
}

fn described(name: &str, topic: &Topic) -> MetadataResponseTopic {
    let partitions = (0..).take(topic.partitions.len()).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![NODE])
            .with_isr_nodes(vec![NODE])
    });
    MetadataResponseTopic::default()
        .with_name(Some(text(name).into()))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}
