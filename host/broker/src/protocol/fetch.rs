//! Fetch: reads as much as is asked for, and waits if there is too little.
//!
//! Under the lock only references are collected; bytes that are not in memory are read from the
//! storage afterwards. A fetch that waits is woken by its partitions, not by a clock.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use tokio::time::Instant;
use uuid::Uuid;

use super::fetch_frame::{Answer, Found, TopicAnswer};
use super::{Call, Failure, fetch_frame};
use crate::code::Code;
use crate::error::Error;
use crate::log::{Log, Piece};
use crate::state::shared::clock;
use crate::state::{Shared, State};
use crate::storage::{Table, layout};
use crate::topic::Watcher;

/// What one look found: answers whose bytes may still be in the storage.
struct Look {
    topics: Vec<TopicAnswer>,
    bytes: usize,
    has_errors: bool,
}

/// Writes the answer to `out`; what it returns follows it on the wire.
pub(super) async fn fetch(
    call: &Call<'_>,
    request: FetchRequest,
    out: &mut BytesMut,
) -> Result<Vec<Bytes>, Failure> {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let until = Instant::now() + wait;
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let is_empty = request
        .topics
        .iter()
        .all(|topic| topic.partitions.is_empty());
    let watcher = Watcher {
        connection: call.connection.id,
        bell: call.connection.bell.clone(),
        is_committed_only: request.isolation_level == 1,
    };
    let look = loop {
        let is_last = is_empty || Instant::now() >= until;
        let look = call.shared.watch(|state| {
            let look = look(state, &request, call.shared.settings.max_fetch_bytes);
            let is_enough = look.bytes >= enough || look.has_errors || is_last;
            if !is_enough {
                watch(state, &request, &watcher);
            }
            is_enough.then_some(look)
        });
        if let Some(look) = look {
            break look;
        }
        // Woken or late: look again.
        let _ = tokio::time::timeout_at(until, watcher.bell.notified()).await;
    };
    let mut topics = look.topics;
    for topic in &mut topics {
        for found in topic
            .partitions
            .iter_mut()
            .filter_map(|(_, found)| found.as_mut().ok())
        {
            load(call.shared, topic.id, found).map_err(|error| call.shared.fail(error))?;
        }
    }
    Ok(fetch_frame::encode(call.version, &topics, out))
}

/// Replaces what is in the storage by its bytes.
fn load(shared: &Shared, topic: Uuid, found: &mut Found) -> Result<(), Error> {
    let mut loaded = Vec::with_capacity(found.pieces.len());
    for piece in found.pieces.drain(..) {
        let bytes = match piece {
            Piece::Bytes(bytes) => Some(bytes),
            Piece::Stored(base) => {
                let key = layout::batch_key(&[], topic, found.partition, base);
                shared.store.get(Table::Batches, &key)?
            }
        };
        // A batch that is gone was deleted just now: the reader finds out by its next fetch.
        let Some(bytes) = bytes else { break };
        loaded.push(Piece::Bytes(bytes));
    }
    found.pieces = loaded;
    Ok(())
}

fn look(state: &State, request: &FetchRequest, most: usize) -> Look {
    let mut room = usize::try_from(request.max_bytes).unwrap_or(0).min(most);
    let mut look = Look {
        topics: Vec::new(),
        bytes: 0,
        has_errors: false,
    };
    let is_committed = request.isolation_level == 1;
    let now = clock();
    for asked in &request.topics {
        let topic = state.topics.get(asked.topic.as_str());
        let mut answers = Vec::with_capacity(asked.partitions.len());
        for part in &asked.partitions {
            let log = topic
                .ok_or(Code::UnknownTopicOrPartition)
                .and_then(|topic| {
                    let index = usize::try_from(part.partition).unwrap_or(usize::MAX);
                    let place = topic
                        .partitions
                        .get(index)
                        .ok_or(Code::UnknownTopicOrPartition)?;
                    if topic.opens <= now {
                        Ok(&place.log)
                    } else {
                        Err(Code::NotLeaderOrFollower)
                    }
                });
            let answer = log
                .map_err(Answer::from)
                .and_then(|log| read(log, part, is_committed, room, look.bytes == 0));
            match &answer {
                Ok(found) => {
                    look.bytes += found.bytes;
                    room = room.saturating_sub(found.bytes);
                }
                Err(_) => look.has_errors = true,
            }
            answers.push((part.partition, answer));
        }
        let id = topic.map_or(Uuid::nil(), |topic| topic.id);
        let name = asked.topic.0.clone();
        look.topics.push(TopicAnswer {
            id,
            name,
            partitions: answers,
        });
    }
    look
}

fn read(
    log: &Log,
    asked: &FetchPartition,
    is_committed: bool,
    room: usize,
    is_first: bool,
) -> Result<Found, Answer> {
    let place = Answer {
        code: None,
        high_watermark: log.end(),
        last_stable: log.last_stable(),
        log_start: log.start(),
    };
    if asked.fetch_offset < log.start() || asked.fetch_offset > log.end() {
        return Err(Answer {
            code: Some(Code::OffsetOutOfRange),
            ..place
        });
    }
    let limit = if is_committed {
        log.last_stable()
    } else {
        log.end()
    };
    let most = room.min(usize::try_from(asked.partition_max_bytes).unwrap_or(0));
    let read = log.read(asked.fetch_offset, limit, most, is_first);
    let aborted = if is_committed {
        log.isolation().aborted(asked.fetch_offset, read.end)
    } else {
        Vec::new()
    };
    Ok(Found {
        partition: asked.partition,
        answer: place,
        pieces: read.pieces,
        bytes: read.bytes,
        aborted: is_committed.then_some(aborted),
    })
}

fn watch(state: &mut State, request: &FetchRequest, watcher: &Watcher) {
    for asked in &request.topics {
        let Some(topic) = state.topics.get_mut(asked.topic.as_str()) else {
            continue;
        };
        for part in &asked.partitions {
            let index = usize::try_from(part.partition).unwrap_or(usize::MAX);
            if let Some(place) = topic.partitions.get_mut(index) {
                place.watchers.add(watcher);
            }
        }
    }
}
