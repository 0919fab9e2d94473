//! Partitions that are read by hand, each in a lane of its own.
//!
//! Every partition has its own queue in librdkafka: a lane that is not polled fills up to its mark
//! and its fetcher rests, so that holding a partition back throws nothing away, and whatever goes
//! wrong is known to belong to one partition.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::Offset;
use weir_core::record::Batch;
use weir_core::task::Position;

use super::context::{Context, Wake};
use super::error::Error;
use super::queue::{Message, Queue};

/// How long the leaders of a topic are asked for before it is read.
const METADATA: Duration = Duration::from_millis(500);

/// Offsets before a partition's end that are taken for rows of open transactions.
const OPEN: i64 = 16;

const STARTING: &str = "starting to read";

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub number: u32,
}

impl Partition {
    /// From its parts.
    pub fn new(topic: impl Into<String>, number: u32) -> Partition {
        Partition {
            topic: topic.into(),
            number,
        }
    }

    /// This partition, from `offset` on.
    pub fn at(self, offset: i64) -> Position {
        Position {
            topic: self.topic,
            partition: self.number,
            offset,
        }
    }

    pub(super) fn raw(&self) -> i32 {
        raw(self.number)
    }

    pub(super) fn of_raw(topic: &str, number: i32) -> Partition {
        Partition::new(
            topic,
            u32::try_from(number).expect("brokers number partitions from 0"),
        )
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// A partition's number, as librdkafka has it.
pub(super) fn raw(number: u32) -> i32 {
    i32::try_from(number).expect("a topic has less than 2^31 partitions")
}

/// Rows of one partition, in the order of offsets. Offsets have gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: u32,
    /// At least one.
    pub rows: Batch,
    /// One a row.
    pub offsets: Vec<i64>,
}

/// What a lane gave.
pub(super) enum Polled {
    /// Nothing more just now.
    Drained,
    /// As many rows as were asked for: there may be more.
    More,
    /// The offset that was to be read next is not there.
    OutOfRange(Partition, i64),
}

/// A consumer and its lanes.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// Lanes that the consumer is not told of yet.
    added: TopicPartitionList,
    /// Topics whose leaders were asked for.
    asked: BTreeSet<String>,
    consumer: Arc<BaseConsumer<Context>>,
    wake: Wake,
}

struct Lane {
    topic: Arc<str>,
    partition: u32,
    queue: Queue,
    next: i64,
    held: bool,
    end: End,
}

/// What is known of a lane's end: whether all rows that were there when the broker was last asked
/// have been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The broker has not said yet, or there are more rows. `met`: its end was met before.
    Ahead { met: bool },
    /// Reached, and nobody was told.
    Reached,
    /// Reached, as was told.
    Told,
}

impl End {
    fn reach(&mut self) {
        if let End::Ahead { .. } = self {
            *self = End::Reached;
        }
    }

    fn more(&mut self) {
        let met = *self != (End::Ahead { met: false });
        *self = End::Ahead { met };
    }
}

impl Lanes {
    pub(super) fn open(config: &rdkafka::ClientConfig, wake: Wake) -> Result<Lanes, Error> {
        let consumer = BaseConsumer::from_config_and_context(config, Context::default())
            .map_err(|error| Error::of("making a consumer", &error))?;
        Ok(Lanes {
            lanes: Vec::new(),
            added: TopicPartitionList::new(),
            asked: BTreeSet::new(),
            consumer: Arc::new(consumer),
            wake,
        })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Context> {
        &self.consumer
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = Partition> + '_ {
        self.lanes
            .iter()
            .map(|lane| Partition::new(&*lane.topic, lane.partition))
    }

    /// Starts to read these partitions, each from its offset, with the next poll: all that were
    /// added until then at once. One that came later would wait until the broker has answered the
    /// request for the rows of those before, up to `fetch.wait.max.ms`.
    pub(super) fn add(&mut self, starts: &[Position]) -> Result<(), Error> {
        for start in starts {
            let partition = raw(start.partition);
            self.added
                .add_partition_offset(&start.topic, partition, Offset::Offset(start.offset))
                .map_err(|error| Error::of(STARTING, &error))?;
            let queue = Queue::split(&self.consumer, &start.topic, partition, &self.wake);
            let queue = queue.ok_or_else(|| Error::Refused {
                doing: STARTING.to_owned(),
                reason: format!("`{}` is no topic's name", start.topic),
            })?;
            self.lanes.push(Lane {
                topic: Arc::from(start.topic.as_str()),
                partition: start.partition,
                queue,
                next: start.offset,
                held: false,
                end: End::Ahead { met: false },
            });
        }
        Ok(())
    }

    /// Tells the consumer of the lanes that were added.
    fn assign(&mut self) -> Result<(), Error> {
        if self.added.count() == 0 {
            return Ok(());
        }
        let added = std::mem::take(&mut self.added);
        // librdkafka learns of topics one by one, and would begin with the first.
        let elements = added.elements();
        for topic in elements.iter().map(|element| element.topic()) {
            if self.asked.insert(topic.to_owned()) {
                let _known_later = self.consumer.fetch_metadata(Some(topic), METADATA);
            }
        }
        self.consumer
            .incremental_assign(&added)
            .map_err(|error| Error::of(STARTING, &error))
    }

    /// Stops to read these partitions; those that are not read are passed over. Their rows never
    /// come again.
    pub(super) fn remove(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        const DOING: &str = "stopping to read";
        self.assign()?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        self.lanes.retain(|lane| {
            let goes = partitions.iter().any(|partition| lane.is(partition));
            if goes {
                list.add_partition(&lane.topic, raw(lane.partition));
            }
            !goes
        });
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer
            .incremental_unassign(&list)
            .map_err(|error| Error::of(DOING, &error))
    }

    /// A lane that is held gives no rows and loses none.
    pub(super) fn hold(&mut self, partition: &Partition, held: bool) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.is(partition)) {
            lane.held = held;
        }
    }

    /// The lanes that have come to their end since this was last asked: all rows that were there
    /// when the broker was last asked have been given.
    pub(super) fn take_ended(&mut self) -> Vec<Partition> {
        let reached = (self.lanes.iter_mut()).filter(|lane| lane.end == End::Reached);
        reached
            .map(|lane| {
                lane.end = End::Told;
                Partition::new(&*lane.topic, lane.partition)
            })
            .collect()
    }

    /// Takes what is there, up to `max_rows` rows and `max_bytes` bytes of each partition; never
    /// waits.
    pub(super) fn poll(
        &mut self,
        max_rows: usize,
        max_bytes: usize,
        into: &mut Vec<Rows>,
    ) -> Result<Polled, Error> {
        self.assign()?;
        // Rows come by the lanes; here come log lines and errors of the whole client, which the
        // context has taken.
        let _event = self.consumer.poll(Duration::ZERO);
        let mut polled = Polled::Drained;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.held) {
            let mut rows = Batch::default();
            let mut offsets = Vec::new();
            let outcome = lane.drain(max_rows, max_bytes, &mut rows, &mut offsets);
            if matches!(outcome, Ok(Polled::Drained)) {
                lane.look_for_the_end();
            }
            if !rows.is_empty() {
                into.push(Rows {
                    topic: lane.topic.clone(),
                    partition: lane.partition,
                    rows,
                    offsets,
                });
            }
            match outcome? {
                Polled::Drained => {}
                Polled::More => polled = Polled::More,
                gone @ Polled::OutOfRange(..) => return Ok(gone),
            }
        }
        Ok(polled)
    }
}

impl Lane {
    /// A lane without rows is at its end if the broker's last answer said so. librdkafka tells only
    /// with the answer after that, which the broker holds back as long as nothing comes. So once
    /// the end was met for sure, it is enough that all offsets were taken, but for a few that may
    /// belong to open transactions.
    fn look_for_the_end(&mut self) {
        if self.end == (End::Ahead { met: true })
            && self.queue.behind().is_some_and(|behind| behind <= OPEN)
        {
            self.end.reach();
        }
    }

    fn is(&self, partition: &Partition) -> bool {
        self.partition == partition.number && *self.topic == *partition.topic
    }

    fn drain(
        &mut self,
        max_rows: usize,
        max_bytes: usize,
        rows: &mut Batch,
        offsets: &mut Vec<i64>,
    ) -> Result<Polled, Error> {
        let mut bytes = 0;
        let mut failed = None;
        while rows.len() < max_rows && bytes < max_bytes {
            let (queue, topic) = (&self.queue, &self.topic);
            let (next, end) = (&mut self.next, &mut self.end);
            let taken = queue.take(max_rows - rows.len(), |message| match message {
                // A queue that was cut short may still hold a row from before.
                Ok(message) if message.offset() < *next => {}
                Ok(message) => {
                    *next = message.offset() + 1;
                    bytes += message.key().map_or(0, <[u8]>::len);
                    bytes += message.value().map_or(0, <[u8]>::len);
                    offsets.push(message.offset());
                    push(rows, topic, message);
                    end.more();
                }
                Err(Code::PartitionEOF) => end.reach(),
                Err(code) => failed = Some(code),
            });
            if let Some(code) = failed.take()
                && let Some(gone) = self.trouble(code)?
            {
                return Ok(gone);
            }
            if taken == 0 {
                return Ok(Polled::Drained);
            }
        }
        Ok(Polled::More)
    }

    /// What an error in the place of a row comes to.
    fn trouble(&self, code: Code) -> Result<Option<Polled>, Error> {
        if matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange) {
            let partition = Partition::new(&*self.topic, self.partition);
            return Ok(Some(Polled::OutOfRange(partition, self.next)));
        }
        // librdkafka goes on by itself after an error that passes.
        match Error::of_code(format!("reading {}/{}", self.topic, self.partition), code) {
            Error::Unreachable { doing, reason } => {
                tracing::debug!(doing, reason, "fetch failed");
                Ok(None)
            }
            error => Err(error),
        }
    }
}

fn push(rows: &mut Batch, topic: &str, message: &Message) {
    let (key, value, timestamp) = (message.key(), message.value(), message.timestamp());
    match message.headers() {
        Ok(headers) if headers.is_empty() => rows.push(key, value, timestamp),
        Ok(headers) => rows.push_with_headers(key, value, timestamp, headers),
        Err(error) => {
            let offset = message.offset();
            tracing::warn!(topic, offset, %error, "headers dropped: a name is not utf-8");
            rows.push(key, value, timestamp);
        }
    }
}
