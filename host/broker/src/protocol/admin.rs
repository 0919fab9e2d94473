//! Logs, as administrators see them: records deleted, bytes counted.

use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DescribeLogDirsRequest};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use crate::code::Code;
use crate::state::shared::clock;
use crate::state::{Effects, State, Stopped, text};

pub(super) fn delete_records(
    call: &Call<'_>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Stopped> {
    call.shared.change(|state, effects| {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let index = asked.partition_index;
                let answer = DeleteRecordsPartitionResult::default().with_partition_index(index);
                match delete_before(state, &topic.name, index, asked.offset, effects) {
                    Ok(start) => answer.with_low_watermark(start),
                    Err(code) => answer.with_low_watermark(-1).with_error_code(code.code()),
                }
            });
            let partitions = partitions.collect();
            DeleteRecordsTopicResult::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    })
}

/// Returns where the log starts then. Offset -1 is the end.
fn delete_before(
    state: &mut State,
    topic: &str,
    partition: i32,
    offset: i64,
    effects: &mut Effects,
) -> Result<i64, Code> {
    let log = &state.partition(topic, partition, clock())?.log;
    let (start, end) = (log.start(), log.end());
    let offset = if offset == -1 { end } else { offset };
    if !(0..=end).contains(&offset) {
        return Err(Code::OffsetOutOfRange);
    }
    let rules = state.topics.get(topic).map(|topic| *topic.config.rules());
    if rules.is_some_and(|rules| rules.is_compacted && !rules.expires) {
        return Err(Code::PolicyViolation);
    }
    if offset > start {
        state.truncate(topic, partition, offset, effects);
    }
    Ok(offset.max(start))
}

pub(super) fn describe_log_dirs(
    call: &Call<'_>,
    request: DescribeLogDirsRequest,
) -> Result<DescribeLogDirsResponse, Stopped> {
    let topics = call.shared.look(|state| {
        let asked = request.topics.as_ref();
        let is_asked = |name: &str, index: i32| {
            asked.is_none_or(|topics| {
                topics
                    .iter()
                    .any(|topic| topic.topic.as_str() == name && topic.partitions.contains(&index))
            })
        };
        let topics = state.topics.iter().map(|(name, topic)| {
            let all = (0_i32..).zip(&topic.partitions);
            let all = all
                .filter(|(index, _)| is_asked(name, *index))
                .map(|(index, place)| {
                    let size = i64::try_from(place.log.bytes()).unwrap_or(i64::MAX);
                    DescribeLogDirsPartition::default()
                        .with_partition_index(index)
                        .with_partition_size(size)
                });
            DescribeLogDirsTopic::default()
                .with_name(text(name).into())
                .with_partitions(all.collect())
        });
        topics
            .filter(|topic| !topic.partitions.is_empty())
            .collect()
    });
    let folder = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_static_str("/"))
        .with_topics(topics);
    Ok(DescribeLogDirsResponse::default().with_results(vec![folder]))
}
