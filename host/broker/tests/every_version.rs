//! Every request on offer, in every version of it, is answered in full: with topics, groups and
//! transactions in the answer, since a field that is missing is a field that cannot be refused.

mod wire;

use std::net::SocketAddr;

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;
use weir_broker::{Broker, Config, Settings, Storage};
use wire::{Wire, batch};

const TOPIC: &str = "orders";
const GROUP: &str = "shop";
const ID: &str = "writer";

fn word(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic() -> TopicName {
    word(TOPIC).into()
}

/// Runs a story against a new broker with a topic, a group with one member, and a transaction that
/// is open.
fn with_broker(story: impl FnOnce(Told) + Send + 'static) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            storage: Storage::Memory,
            settings: Settings::default(),
        };
        let broker = Broker::start(config).await.expect("it starts");
        let address = broker.address();
        tokio::task::spawn_blocking(move || story(Told::prepare(address)))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        broker.stop().await.expect("it stops");
    });
}

/// What the broker was told before.
struct Told {
    wire: Wire,
    producer: ProducerId,
    epoch: i16,
    member: StrBytes,
    generation: i32,
}

impl Told {
    fn prepare(address: SocketAddr) -> Self {
        let mut wire = Wire::to(address);
        wire.ask(7, &create(TOPIC));
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(word(ID).into()))
            .with_transaction_timeout_ms(60_000);
        let init = wire.ask(4, &init);
        let (producer, epoch) = (init.producer_id, init.producer_epoch);
        let mut told = Self {
            wire,
            producer,
            epoch,
            member: StrBytes::default(),
            generation: -1,
        };
        told.join(9);
        told.sync(5);
        told.wire.ask(3, &told.add_partitions());
        let sent = batch("k", "v", Some((producer.0, epoch, 0)));
        told.wire.ask(11, &told.produce(Some(ID), sent));
        told.wire.ask(8, &told.commit());
        told
    }

    fn join(&mut self, version: i16) -> JoinGroupResponse {
        let protocol = join_group_request::JoinGroupRequestProtocol::default()
            .with_name(word("range"))
            .with_metadata(Bytes::from_static(b"\0\x03\0\0\0\x01\0\x06orders\0\0\0\0"));
        let mut join = JoinGroupRequest::default()
            .with_group_id(word(GROUP).into())
            .with_session_timeout_ms(30_000)
            .with_member_id(self.member.clone())
            .with_protocol_type(word("consumer"))
            .with_protocols(vec![protocol]);
        if version >= 1 {
            join.rebalance_timeout_ms = 30_000;
        }
        let answer = self.wire.ask(version, &join);
        let needs_id = answer.error_code == 79;
        self.member = answer.member_id.clone();
        self.generation = answer.generation_id;
        if needs_id { self.join(version) } else { answer }
    }

    fn sync(&mut self, version: i16) -> SyncGroupResponse {
        let assignment = sync_group_request::SyncGroupRequestAssignment::default()
            .with_member_id(self.member.clone())
            .with_assignment(Bytes::from_static(b"all of it"));
        let mut sync = SyncGroupRequest::default()
            .with_group_id(word(GROUP).into())
            .with_generation_id(self.generation)
            .with_member_id(self.member.clone())
            .with_assignments(vec![assignment]);
        if version >= 5 {
            sync.protocol_type = Some(word("consumer"));
            sync.protocol_name = Some(word("range"));
        }
        self.wire.ask(version, &sync)
    }

    fn add_partitions(&self) -> AddPartitionsToTxnRequest {
        let topics = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
            .with_name(topic())
            .with_partitions(vec![0, 1]);
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(word(ID).into())
            .with_v3_and_below_producer_id(self.producer)
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topics])
    }

    fn produce(&self, id: Option<&str>, batch: Bytes) -> ProduceRequest {
        let partition = produce_request::PartitionProduceData::default()
            .with_index(0)
            .with_records(Some(batch));
        let data = produce_request::TopicProduceData::default()
            .with_name(topic())
            .with_partition_data(vec![partition]);
        ProduceRequest::default()
            .with_transactional_id(id.map(|id| word(id).into()))
            .with_acks(-1)
            .with_timeout_ms(1000)
            .with_topic_data(vec![data])
    }

    fn commit(&self) -> OffsetCommitRequest {
        let partition = offset_commit_request::OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(1)
            .with_committed_metadata(Some(word("here")));
        let topics = offset_commit_request::OffsetCommitRequestTopic::default()
            .with_name(topic())
            .with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(word(GROUP).into())
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(self.member.clone())
            .with_topics(vec![topics])
    }
}

fn create(name: &str) -> CreateTopicsRequest {
    let config = create_topics_request::CreatableTopicConfig::default()
        .with_name(word("retention.ms"))
        .with_value(Some(word("100000000")));
    let topic = create_topics_request::CreatableTopic::default()
        .with_name(word(name).into())
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(1000)
}

#[test]
fn what_is_offered_is_what_is_answered() {
    with_broker(|mut told| {
        let mut versions = Vec::new();
        for version in 0..=4 {
            let mut ask = ApiVersionsRequest::default();
            if version >= 3 {
                ask.client_software_name = word("wire");
                ask.client_software_version = word("1");
            }
            let answer = told.wire.ask(version, &ask);
            assert_eq!(answer.error_code, 0);
            versions = answer.api_keys;
        }
        let keys: Vec<i16> = versions.iter().map(|version| version.api_key).collect();
        let asked = [
            0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28,
            32, 33, 35, 37, 42, 44, 47, 60, 61, 65, 66,
        ];
        let mut offered = keys;
        offered.sort_unstable();
        assert_eq!(
            offered, asked,
            "each of these has its place in the tests of this file"
        );
    });
}

#[test]
fn records_are_written_and_read_in_every_version() {
    with_broker(|mut told| {
        for version in 3..=11 {
            let sent = told.produce(None, batch("k", "v", None));
            let answer = told.wire.ask(version, &sent);
            let partition = &answer.responses[0].partition_responses[0];
            assert_eq!(
                (partition.error_code, partition.base_offset),
                (0, i64::from(version) - 2)
            );
        }
        for version in 4..=12 {
            for isolation in [0, 1] {
                let partition = fetch_request::FetchPartition::default()
                    .with_partition(0)
                    .with_partition_max_bytes(1 << 20);
                let topics = fetch_request::FetchTopic::default()
                    .with_topic(topic())
                    .with_partitions(vec![partition]);
                let ask = FetchRequest::default()
                    .with_max_wait_ms(10)
                    .with_min_bytes(1)
                    .with_max_bytes(1 << 20)
                    .with_isolation_level(isolation)
                    .with_topics(vec![topics]);
                let answer = told.wire.ask(version, &ask);
                let partition = &answer.responses[0].partitions[0];
                let expected = if isolation == 1 { 0 } else { 10 };
                let batches = partition.records.as_ref().map_or(0, Bytes::len) / 70;
                assert_eq!((partition.error_code, batches), (0, expected), "v{version}");
            }
        }
        for version in 1..=8 {
            for timestamp in [-1, -2, 1_000_000] {
                let partition =
                    list_offsets_request::ListOffsetsPartition::default().with_timestamp(timestamp);
                let topics = list_offsets_request::ListOffsetsTopic::default()
                    .with_name(topic())
                    .with_partitions(vec![partition]);
                let ask = ListOffsetsRequest::default().with_topics(vec![topics]);
                let answer = told.wire.ask(version, &ask);
                let expected = if timestamp == -1 { 10 } else { 0 };
                let partition = &answer.topics[0].partitions[0];
                assert_eq!((partition.error_code, partition.offset), (0, expected));
            }
        }
        for version in 2..=4 {
            let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            let topics = offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                .with_topic(topic())
                .with_partitions(vec![partition]);
            let mut ask = OffsetForLeaderEpochRequest::default().with_topics(vec![topics]);
            if version >= 3 {
                ask.replica_id = BrokerId(-1);
            }
            let answer = told.wire.ask(version, &ask);
            assert_eq!(answer.topics[0].partitions[0].end_offset, 10);
        }
    });
}

#[test]
fn the_cluster_is_described_in_every_version() {
    with_broker(|mut told| {
        for version in 0..=12 {
            let names = [TOPIC, "no such"].map(|name| {
                metadata_request::MetadataRequestTopic::default().with_name(Some(word(name).into()))
            });
            let ask = MetadataRequest::default().with_topics(Some(names.to_vec()));
            let answer = told.wire.ask(version, &ask);
            let topics = &answer.topics;
            assert_eq!((topics[0].error_code, topics[0].partitions.len()), (0, 2));
            assert_eq!((topics[1].error_code, topics[1].partitions.len()), (17, 0));
            assert_eq!(answer.brokers.len(), 1);
        }
        for version in 0..=1 {
            let answer = told.wire.ask(version, &DescribeClusterRequest::default());
            assert_eq!(answer.brokers.len(), 1);
        }
        for version in 0..=4 {
            let mut ask = FindCoordinatorRequest::default();
            if version >= 4 {
                ask.coordinator_keys = vec![word(GROUP)];
            } else {
                ask.key = word(GROUP);
            }
            let answer = told.wire.ask(version, &ask);
            assert_eq!(answer.coordinators.len(), usize::from(version >= 4));
        }
        for version in 1..=4 {
            let resources = [(2, TOPIC), (4, "1")].map(|(kind, name)| {
                describe_configs_request::DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(word(name))
                    .with_configuration_keys(None)
            });
            let ask = DescribeConfigsRequest::default().with_resources(resources.to_vec());
            let answer = told.wire.ask(version, &ask);
            assert!(
                answer
                    .results
                    .iter()
                    .all(|result| !result.configs.is_empty())
            );
        }
        for version in 1..=4 {
            let ask = DescribeLogDirsRequest::default().with_topics(None);
            let answer = told.wire.ask(version, &ask);
            assert_eq!(answer.results[0].topics[0].partitions.len(), 2);
        }
    });
}

#[test]
fn topics_are_made_changed_and_deleted_in_every_version() {
    with_broker(|mut told| {
        for version in 2..=7 {
            let name = format!("made-{version}");
            let answer = told.wire.ask(version, &create(&name));
            assert_eq!(answer.topics[0].error_code, 0);
            let answer = told.wire.ask(version, &create(&name));
            assert_eq!(answer.topics[0].error_code, 36);
        }
        for version in 0..=3 {
            let more = create_partitions_request::CreatePartitionsTopic::default()
                .with_name(topic())
                .with_count(3 + i32::from(version));
            let ask = CreatePartitionsRequest::default().with_topics(vec![more]);
            assert_eq!(told.wire.ask(version, &ask).results[0].error_code, 0);
        }
        for version in 0..=1 {
            let config = incremental_alter_configs_request::AlterableConfig::default()
                .with_name(word("retention.ms"))
                .with_value(Some(word("5")));
            let resource = incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(word(TOPIC))
                .with_configs(vec![config]);
            let ask = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            assert_eq!(told.wire.ask(version, &ask).responses[0].error_code, 0);
        }
        for version in 0..=2 {
            let resource = alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(word(TOPIC));
            let ask = AlterConfigsRequest::default().with_resources(vec![resource]);
            assert_eq!(told.wire.ask(version, &ask).responses[0].error_code, 0);
        }
        for version in 0..=2 {
            let partition =
                delete_records_request::DeleteRecordsPartition::default().with_offset(1);
            let topics = delete_records_request::DeleteRecordsTopic::default()
                .with_name(topic())
                .with_partitions(vec![partition]);
            let ask = DeleteRecordsRequest::default().with_topics(vec![topics]);
            let answer = told.wire.ask(version, &ask);
            assert_eq!(answer.topics[0].partitions[0].low_watermark, 1);
        }
        for version in 1..=6 {
            let name: TopicName = word(&format!("made-{version}")).into();
            let mut ask = DeleteTopicsRequest::default().with_timeout_ms(1000);
            if version >= 6 {
                let state = delete_topics_request::DeleteTopicState::default();
                let unknown = state
                    .clone()
                    .with_topic_id(Uuid::from_u128(1))
                    .with_name(None);
                ask.topics = vec![state.with_name(Some(name)), unknown];
            } else {
                ask.topic_names = vec![name];
            }
            let answer = told.wire.ask(version, &ask);
            let codes: Vec<i16> = answer.responses.iter().map(|it| it.error_code).collect();
            let expected = if version == 1 { 3 } else { 0 };
            assert_eq!(codes[0], expected, "made-1 was never made");
        }
    });
}

#[test]
fn groups_are_served_in_every_version() {
    with_broker(|mut told| {
        for version in 0..=9 {
            let joined = told.join(version);
            assert_eq!(
                (joined.error_code, joined.members.len()),
                (0, 1),
                "v{version}"
            );
            let synced = told.sync(version.min(5));
            assert_eq!(
                (synced.error_code, &synced.assignment[..]),
                (0, &b"all of it"[..])
            );
        }
        for version in 0..=4 {
            let ask = HeartbeatRequest::default()
                .with_group_id(word(GROUP).into())
                .with_generation_id(told.generation)
                .with_member_id(told.member.clone());
            assert_eq!(told.wire.ask(version, &ask).error_code, 0);
        }
        for version in 2..=8 {
            let answer = told.wire.ask(version, &told.commit());
            assert_eq!(answer.topics[0].partitions[0].error_code, 0);
        }
        for version in 1..=8 {
            let ask = fetch_offsets(version);
            let answer = told.wire.ask(version, &ask);
            let offset = match answer.groups.first() {
                Some(group) => group.topics[0].partitions[0].committed_offset,
                None => answer.topics[0].partitions[0].committed_offset,
            };
            assert_eq!(offset, 1);
        }
        for version in 0..=5 {
            let ask = DescribeGroupsRequest::default().with_groups(vec![word(GROUP).into()]);
            assert_eq!(told.wire.ask(version, &ask).groups[0].members.len(), 1);
            assert_eq!(
                told.wire
                    .ask(version, &ListGroupsRequest::default())
                    .groups
                    .len(),
                1
            );
        }
        let topics = offset_delete_request::OffsetDeleteRequestTopic::default()
            .with_name(topic())
            .with_partitions(vec![
                offset_delete_request::OffsetDeleteRequestPartition::default(),
            ]);
        let ask = OffsetDeleteRequest::default()
            .with_group_id(word(GROUP).into())
            .with_topics(vec![topics]);
        assert_eq!(
            told.wire.ask(0, &ask).topics[0].partitions[0].error_code,
            86
        );
        for version in 0..=5 {
            let mut ask = LeaveGroupRequest::default().with_group_id(word(GROUP).into());
            if version >= 3 {
                let member = leave_group_request::MemberIdentity::default()
                    .with_member_id(told.member.clone());
                ask.members = vec![member];
            } else {
                ask.member_id = told.member.clone();
            }
            let answer = told.wire.ask(version, &ask);
            let code = answer
                .members
                .first()
                .map_or(answer.error_code, |it| it.error_code);
            assert_eq!(code, if version == 0 { 0 } else { 25 }, "it leaves once");
        }
        for version in 0..=2 {
            let ask = DeleteGroupsRequest::default().with_groups_names(vec![word(GROUP).into()]);
            let code = told.wire.ask(version, &ask).results[0].error_code;
            assert_eq!(code, if version == 0 { 0 } else { 69 });
        }
    });
}

fn fetch_offsets(version: i16) -> OffsetFetchRequest {
    let ask = OffsetFetchRequest::default();
    if version >= 8 {
        let topics = offset_fetch_request::OffsetFetchRequestTopics::default()
            .with_name(topic())
            .with_partition_indexes(vec![0]);
        let group = offset_fetch_request::OffsetFetchRequestGroup::default()
            .with_group_id(word(GROUP).into())
            .with_topics(Some(vec![topics]));
        return ask.with_groups(vec![group]);
    }
    let topics = offset_fetch_request::OffsetFetchRequestTopic::default()
        .with_name(topic())
        .with_partition_indexes(vec![0]);
    ask.with_group_id(word(GROUP).into())
        .with_topics(Some(vec![topics]))
}

#[test]
fn transactions_go_their_way_in_every_version() {
    with_broker(|mut told| {
        let ask = DescribeProducersRequest::default().with_topics(vec![
            describe_producers_request::TopicRequest::default()
                .with_name(topic())
                .with_partition_indexes(vec![0]),
        ]);
        let answer = told.wire.ask(0, &ask);
        assert_eq!(answer.topics[0].partitions[0].active_producers.len(), 1);
        let ask =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![word(ID).into()]);
        let answer = told.wire.ask(0, &ask);
        assert_eq!(answer.transaction_states[0].topics[0].partitions, [0, 1]);
        for version in 0..=1 {
            let answer = told.wire.ask(version, &ListTransactionsRequest::default());
            assert_eq!(
                answer.transaction_states[0].transaction_state.as_str(),
                "Ongoing"
            );
        }
        for version in 0..=3 {
            let answer = told.wire.ask(version, &told.add_partitions());
            let topics = &answer.results_by_topic_v3_and_below;
            assert_eq!(topics[0].results_by_partition[1].partition_error_code, 0);
            let ask = AddOffsetsToTxnRequest::default()
                .with_transactional_id(word(ID).into())
                .with_producer_id(told.producer)
                .with_producer_epoch(told.epoch)
                .with_group_id(word(GROUP).into());
            assert_eq!(told.wire.ask(version, &ask).error_code, 0);
            let answer = told
                .wire
                .ask(version, &commit_in_transaction(&told, version));
            assert_eq!(answer.topics[0].partitions[0].error_code, 0, "v{version}");
            let ask = EndTxnRequest::default()
                .with_transactional_id(word(ID).into())
                .with_producer_id(told.producer)
                .with_producer_epoch(told.epoch)
                .with_committed(version % 2 == 0);
            assert_eq!(told.wire.ask(version, &ask).error_code, 0, "v{version}");
        }
        for version in 0..=4 {
            let ask = InitProducerIdRequest::default()
                .with_transactional_id(Some(word(ID).into()))
                .with_transaction_timeout_ms(1000);
            let answer = told.wire.ask(version, &ask);
            assert_eq!((answer.error_code, answer.producer_epoch), (0, version + 1));
        }
    });
}

fn commit_in_transaction(told: &Told, version: i16) -> TxnOffsetCommitRequest {
    let partition = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default()
        .with_committed_offset(2)
        .with_committed_metadata(Some(word("there")));
    let topics = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
        .with_name(topic())
        .with_partitions(vec![partition]);
    let ask = TxnOffsetCommitRequest::default()
        .with_transactional_id(word(ID).into())
        .with_group_id(word(GROUP).into())
        .with_producer_id(told.producer)
        .with_producer_epoch(told.epoch)
        .with_topics(vec![topics]);
    if version < 3 {
        return ask;
    }
    ask.with_generation_id(told.generation)
        .with_member_id(told.member.clone())
}

#[test]
fn what_is_not_offered_closes_the_connection_and_harms_nobody() {
    with_broker(|mut told| {
        let address = {
            let ask = DescribeClusterRequest::default();
            let answer = told.wire.ask(0, &ask);
            let host = answer.brokers[0].host.parse().expect("an address");
            let port = u16::try_from(answer.brokers[0].port).expect("a port");
            SocketAddr::new(host, port)
        };
        for request in [
            &[0, 1, 0, 3, 0, 0, 0, 1][..],
            &[3, 231, 0, 0, 0, 0, 0, 1],
            &[0, 3, 0, 9, 0, 0, 0, 1, 255, 255],
            &[0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 127, 255, 255, 255],
            &[0, 3, 0, 9, 0, 0, 0, 1, 255, 255, 0, 255, 255, 255, 255, 7],
            &[0, 0],
            &[],
        ] {
            let mut wire = Wire::to(address);
            wire.send(request);
            assert_eq!(wire.receive(), None, "{request:?}");
        }
        assert!(
            told.wire
                .try_ask(0, &DescribeClusterRequest::default())
                .is_some()
        );
    });
}
