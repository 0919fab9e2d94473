//! Offsets of groups: committed alone or in a transaction, fetched, deleted.

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, TopicName, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::transactions::told;
use crate::code::{Code, number};
use crate::group::offsets::{Committed, Partition};
use crate::group::{Group, Phase};
use crate::state::shared::{clock, moment};
use crate::state::{State, Stopped, text};
use crate::storage::{Table, layout};
use crate::txn::Holder;

/// Who commits for a group.
struct Committer<'a> {
    group: &'a str,
    member: &'a StrBytes,
    instance: Option<&'a StrBytes>,
    generation: i32,
}

impl Committer<'_> {
    /// Whether it may. A group that nobody knows has no generations.
    fn may(&self, state: &State, in_transaction: bool) -> Result<(), Code> {
        let (member, instance, generation) = (self.member, self.instance, self.generation);
        match state.groups.get(self.group) {
            Some(group) => group.may_commit(member, instance, generation, in_transaction),
            None if generation < 0 => Ok(()),
            None => Err(Code::IllegalGeneration),
        }
    }
}

/// Whether an offset of this partition can be committed.
fn can_hold(call: &Call<'_>, state: &State, to: &Partition, metadata: &str) -> Result<(), Code> {
    if !state.has(&to.0, to.1) {
        Err(Code::UnknownTopicOrPartition)
    } else if metadata.len() > call.shared.settings.max_offset_metadata {
        Err(Code::OffsetMetadataTooLarge)
    } else {
        Ok(())
    }
}

pub(super) fn commit(
    call: &Call<'_>,
    request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, Stopped> {
    let committer = Committer {
        group: request.group_id.as_str(),
        member: &request.member_id,
        instance: request.group_instance_id.as_ref(),
        generation: request.generation_id_or_member_epoch,
    };
    call.shared.change(|state, effects| {
        let may = committer.may(state, false);
        if let Some(group) = state.groups.get_mut(committer.group) {
            group.touch(committer.member, moment());
        }
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|part| {
                let to = (topic.name.to_string(), part.partition_index);
                let metadata = part.committed_metadata.unwrap_or_default().to_string();
                let result = may.and_then(|()| can_hold(call, state, &to, &metadata));
                if result.is_ok() {
                    let committed = Committed {
                        offset: part.committed_offset,
                        leader_epoch: part.committed_leader_epoch,
                        metadata,
                        at: clock(),
                    };
                    state.commit(committer.group, to, committed, effects);
                }
                OffsetCommitResponsePartition::default()
                    .with_partition_index(part.partition_index)
                    .with_error_code(number(&result))
            });
            let partitions = partitions.collect();
            OffsetCommitResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    })
}

pub(super) fn commit_in_transaction(
    call: &Call<'_>,
    request: TxnOffsetCommitRequest,
) -> Result<TxnOffsetCommitResponse, Stopped> {
    let id = request.transactional_id.as_str();
    let holder = Holder {
        producer: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let committer = Committer {
        group: request.group_id.as_str(),
        member: &request.member_id,
        instance: request.group_instance_id.as_ref(),
        generation: request.generation_id,
    };
    call.shared.change(|state, effects| {
        let held = state.coordinator.held(id, holder);
        let may = held
            .and_then(|transaction| transaction.takes_offsets_of(committer.group))
            // The group's coordinator knows no newer name for this error.
            .map_err(|code| told(code, 0))
            .and_then(|()| committer.may(state, true));
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|part| {
                let to = (topic.name.to_string(), part.partition_index);
                let metadata = part
                    .committed_metadata
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned();
                let result = may.and_then(|()| can_hold(call, state, &to, &metadata));
                if result.is_ok() {
                    let committed = Committed {
                        offset: part.committed_offset,
                        leader_epoch: part.committed_leader_epoch,
                        metadata,
                        at: clock(),
                    };
                    promise(state, id, holder, committer.group, to, committed);
                }
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(part.partition_index)
                    .with_error_code(number(&result))
            });
            let partitions = partitions.collect();
            TxnOffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions)
        });
        let topics = topics.collect();
        if may.is_ok() {
            state.save_transaction(id, effects);
        }
        TxnOffsetCommitResponse::default().with_topics(topics)
    })
}

fn promise(
    state: &mut State,
    id: &str,
    holder: Holder,
    group: &str,
    to: Partition,
    committed: Committed,
) {
    if let Ok(transaction) = state.coordinator.held(id, holder) {
        transaction
            .offsets
            .insert((group.to_owned(), to.clone()), committed.clone());
        let group = state.groups.entry(group.to_owned()).or_default();
        group.offsets.promise(holder.producer, to, committed);
    }
}

/// What is known of one position.
struct Position {
    partition: i32,
    committed: Committed,
    code: i16,
}

/// The positions that a request asks for, by topic; all of the group if it names none.
fn positions(
    state: &State,
    group: &str,
    asked: Option<Vec<(TopicName, Vec<i32>)>>,
    is_stable: bool,
) -> Vec<(TopicName, Vec<Position>)> {
    let group = state.groups.get(group);
    let asked = asked.unwrap_or_else(|| all(group));
    let one = |topic: &TopicName, partition: i32| {
        let key = (topic.to_string(), partition);
        let none = Committed {
            offset: -1,
            leader_epoch: -1,
            ..Committed::default()
        };
        let is_pending = is_stable && group.is_some_and(|group| group.offsets.is_pending(&key));
        let known = group
            .and_then(|group| group.offsets.get(&key))
            .filter(|_| !is_pending);
        let code = if is_pending {
            Code::UnstableOffsetCommit.code()
        } else {
            0
        };
        Position {
            partition,
            committed: known.cloned().unwrap_or(none),
            code,
        }
    };
    let topics = asked.into_iter().map(|(topic, partitions)| {
        let positions = partitions
            .into_iter()
            .map(|partition| one(&topic, partition))
            .collect();
        (topic, positions)
    });
    topics.collect()
}

fn all(group: Option<&Group>) -> Vec<(TopicName, Vec<i32>)> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in group.iter().flat_map(|group| group.offsets.partitions()) {
        topics.entry(topic).or_default().push(*partition);
    }
    topics
        .into_iter()
        .map(|(topic, partitions)| (text(topic).into(), partitions))
        .collect()
}

pub(super) fn fetch(
    call: &Call<'_>,
    request: OffsetFetchRequest,
) -> Result<OffsetFetchResponse, Stopped> {
    let is_stable = request.require_stable;
    let answer = OffsetFetchResponse::default();
    if call.version < 8 {
        let asked = request.topics.map(|topics| {
            topics
                .into_iter()
                .map(|topic| (topic.name, topic.partition_indexes))
                .collect()
        });
        let found = call
            .shared
            .look(|state| positions(state, &request.group_id, asked, is_stable));
        let topics = found.into_iter().map(|(name, positions)| {
            let partitions = positions.into_iter().map(|position| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(position.partition)
                    .with_committed_offset(position.committed.offset)
                    .with_committed_leader_epoch(position.committed.leader_epoch)
                    .with_metadata(Some(StrBytes::from_string(position.committed.metadata)))
                    .with_error_code(position.code)
            });
            let partitions = partitions.collect();
            OffsetFetchResponseTopic::default()
                .with_name(name)
                .with_partitions(partitions)
        });
        return Ok(answer.with_topics(topics.collect()));
    }
    let groups = request.groups.into_iter().map(|group| {
        let asked = group.topics.map(|topics| {
            topics
                .into_iter()
                .map(|topic| (topic.name, topic.partition_indexes))
                .collect()
        });
        let found = call
            .shared
            .look(|state| positions(state, &group.group_id, asked, is_stable));
        let topics = found.into_iter().map(|(name, positions)| {
            let partitions = positions.into_iter().map(|position| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(position.partition)
                    .with_committed_offset(position.committed.offset)
                    .with_committed_leader_epoch(position.committed.leader_epoch)
                    .with_metadata(Some(StrBytes::from_string(position.committed.metadata)))
                    .with_error_code(position.code)
            });
            let partitions = partitions.collect();
            OffsetFetchResponseTopics::default()
                .with_name(name)
                .with_partitions(partitions)
        });
        let topics = topics.collect();
        OffsetFetchResponseGroup::default()
            .with_group_id(group.group_id)
            .with_topics(topics)
    });
    Ok(answer.with_groups(groups.collect()))
}

pub(super) fn delete(
    call: &Call<'_>,
    request: OffsetDeleteRequest,
) -> Result<OffsetDeleteResponse, Stopped> {
    let answer = OffsetDeleteResponse::default();
    call.shared.change(|state, effects| {
        let group_id = request.group_id.as_str();
        let Some(group) = state.groups.get_mut(group_id) else {
            return answer.with_error_code(Code::GroupIdNotFound.code());
        };
        let is_consumers = group.protocol_type().as_str() == "consumer";
        if group.phase() != Phase::Empty && !is_consumers {
            return answer.with_error_code(Code::NonEmptyGroup.code());
        }
        let read = group.topics();
        let topics = request.topics.into_iter().map(|topic| {
            let is_read = read.contains(topic.name.as_str());
            let partitions = topic.partitions.into_iter().map(|part| {
                let key = (topic.name.to_string(), part.partition_index);
                if !is_read && group.offsets.remove(&key) {
                    effects
                        .changes
                        .delete(Table::Records, layout::offset_key(group_id, &key));
                }
                let code = if is_read {
                    Code::GroupSubscribedToTopic.code()
                } else {
                    0
                };
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(part.partition_index)
                    .with_error_code(code)
            });
            let partitions = partitions.collect();
            OffsetDeleteResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        });
        answer.with_topics(topics.collect())
    })
}
