//! Where a log begins and ends, and where a time begins in it.

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, TopicName};
use uuid::Uuid;

use super::Call;
use crate::code::Code;
use crate::log::head::Head;
use crate::log::records::{self, Record};
use crate::log::{Log, Piece};
use crate::state::Stopped;
use crate::state::shared::clock;
use crate::storage::{Table, layout};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const NEWEST: i64 = -3;
/// The first offset on this machine, as opposed to one in remote storage.
const EARLIEST_LOCAL: i64 = -4;
const LATEST_REMOTE: i64 = -5;

/// What the log says to a question.
enum Answer {
    /// Offset, and timestamp if it belongs to a record.
    At(i64, i64),
    /// The first record of this batch that bears this time or a later one, below a limit.
    In {
        piece: Piece,
        timestamp: i64,
        limit: i64,
    },
}

pub(super) fn list_offsets(
    call: &Call<'_>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Stopped> {
    let is_committed = request.isolation_level == 1;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let answer = ask(call, &topic.name, &asked, is_committed)?;
            let index = asked.partition_index;
            let partition = ListOffsetsPartitionResponse::default().with_partition_index(index);
            partitions.push(match answer {
                // The epoch of an offset that is none is none.
                Ok((offset, timestamp)) => partition
                    .with_offset(offset)
                    .with_timestamp(timestamp)
                    .with_leader_epoch(if call.version >= 4 && offset >= 0 {
                        0
                    } else {
                        -1
                    }),
                Err(code) => partition.with_error_code(code.code()),
            });
        }
        topics.push(
            ListOffsetsTopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions),
        );
    }
    Ok(ListOffsetsResponse::default().with_topics(topics))
}

fn ask(
    call: &Call<'_>,
    topic: &TopicName,
    asked: &ListOffsetsPartition,
    is_committed: bool,
) -> Result<Result<(i64, i64), Code>, Stopped> {
    let looked = call.shared.watch(|state| {
        let place = state.partition(topic, asked.partition_index, clock())?;
        let answer = look(&place.log, asked.timestamp, is_committed);
        Ok((state.topics[topic.as_str()].id, answer))
    });
    let (id, answer) = match looked {
        Ok(looked) => looked,
        Err(code) => return Ok(Err(code)),
    };
    match answer {
        Answer::At(offset, timestamp) => Ok(Ok((offset, timestamp))),
        Answer::In {
            piece,
            timestamp,
            limit,
        } => {
            let batch = load(call, id, asked.partition_index, piece)?;
            Ok(batch.map_or(Ok((-1, -1)), |batch| search(&batch, timestamp, limit)))
        }
    }
}

fn look(log: &Log, timestamp: i64, is_committed: bool) -> Answer {
    let limit = if is_committed {
        log.last_stable()
    } else {
        log.end()
    };
    let found = match timestamp {
        LATEST => return Answer::At(limit, -1),
        EARLIEST | EARLIEST_LOCAL => return Answer::At(log.start(), -1),
        LATEST_REMOTE => return Answer::At(-1, -1),
        NEWEST => log.newest(),
        timestamp => log.since(timestamp).map(|(piece, _)| (piece, timestamp)),
    };
    match found {
        Some((piece, timestamp)) => Answer::In {
            piece,
            timestamp,
            limit,
        },
        None => Answer::At(-1, -1),
    }
}

fn search(batch: &Bytes, timestamp: i64, limit: i64) -> Result<(i64, i64), Code> {
    let head = Head::parse(batch)?;
    let rows = records::of(batch, &head)?;
    let is_it = |row: &&Record| row.timestamp >= timestamp && row.offset < limit;
    Ok(rows
        .iter()
        .find(is_it)
        .map_or((-1, -1), |row| (row.offset, row.timestamp)))
}

fn load(
    call: &Call<'_>,
    topic: Uuid,
    partition: i32,
    piece: Piece,
) -> Result<Option<Bytes>, Stopped> {
    match piece {
        Piece::Bytes(bytes) => Ok(Some(bytes)),
        Piece::Stored(base) => {
            let key = layout::batch_key(&[], topic, partition, base);
            let found = call.shared.store.get(Table::Batches, &key);
            found.map_err(|error| call.shared.fail(error))
        }
    }
}

/// There is one epoch, 0: it ends where the log ends.
pub(super) fn leader_epoch(
    call: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Stopped> {
    Ok(call.shared.watch(|state| {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let answer = EpochEndOffset::default().with_partition(asked.partition);
                match state.partition(&topic.topic, asked.partition, clock()) {
                    Ok(place) if asked.leader_epoch == 0 => {
                        answer.with_leader_epoch(0).with_end_offset(place.log.end())
                    }
                    Ok(_) => answer,
                    Err(code) => answer.with_error_code(code.code()),
                }
            });
            let partitions = partitions.collect();
            OffsetForLeaderTopicResult::default()
                .with_topic(topic.topic)
                .with_partitions(partitions)
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    }))
}
