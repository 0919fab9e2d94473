//! Partitions that are read by hand, each in a lane of its own.
//!
//! Every partition has its own queue in librdkafka: a lane that is not polled fills up to its mark
//! and its fetcher rests, so that holding a partition back throws nothing away, and whatever goes
//! wrong is known to belong to one partition.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::Offset;
use weir_core::record::Batch;
use weir_core::task::Position;

use super::context::{Context, Wake};
use super::error::Error;
use super::watermark;

/// How long the leaders of a topic are asked for before it is read.
const METADATA: Duration = Duration::from_millis(500);

/// Offsets before a partition's end that are taken for markers of transactions.
const MARKERS: i64 = 16;

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
    queue: PartitionQueue<Context>,
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
            let queue = self.consumer.split_partition_queue(&start.topic, partition);
            let mut queue = queue.ok_or_else(|| Error::Refused {
                doing: STARTING.to_owned(),
                reason: format!("`{}` is no topic's name", start.topic),
            })?;
            let wake = self.wake.clone();
            queue.set_nonempty_callback(move || wake());
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
                lane.look_for_the_end(&self.consumer);
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
    fn reach_end(&mut self) {
        if let End::Ahead { .. } = self.end {
            self.end = End::Reached;
        }
    }

    /// A lane without rows is at its end if the broker's last answer said so. librdkafka tells only
    /// with the answer after that, which the broker holds back as long as nothing comes; and it
    /// does not tell where the markers of transactions lie, which are offsets without rows. So once
    /// the end was met for sure, a few offsets that lack are taken for markers.
    fn look_for_the_end(&mut self, consumer: &BaseConsumer<Context>) {
        if self.end != (End::Ahead { met: true }) {
            return;
        }
        let end = watermark::high(consumer, &self.topic, self.partition);
        if end.is_some_and(|end| end - self.next <= MARKERS) {
            self.reach_end();
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
        while rows.len() < max_rows && bytes < max_bytes {
            match self.queue.poll(Duration::ZERO) {
                None => return Ok(Polled::Drained),
                Some(Ok(message)) => {
                    // A queue that was cut short may still hold a row from before.
                    if message.offset() < self.next {
                        continue;
                    }
                    self.next = message.offset() + 1;
                    bytes += message.key_len() + message.payload_len();
                    offsets.push(message.offset());
                    push(rows, &message);
                    let met = self.end != (End::Ahead { met: false });
                    self.end = End::Ahead { met };
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.reach_end(),
                Some(Err(error)) => {
                    let gone = [Code::AutoOffsetReset, Code::OffsetOutOfRange];
                    if error
                        .rdkafka_error_code()
                        .is_some_and(|code| gone.contains(&code))
                    {
                        let partition = Partition::new(&*self.topic, self.partition);
                        return Ok(Polled::OutOfRange(partition, self.next));
                    }
                    // librdkafka goes on by itself after an error that passes.
                    match Error::of(format!("reading {}/{}", self.topic, self.partition), &error) {
                        Error::Unreachable { doing, reason } => {
                            tracing::debug!(doing, reason, "fetch failed")
                        }
                        error => return Err(error),
                    }
                }
            }
        }
        Ok(Polled::More)
    }
}

fn push(rows: &mut Batch, message: &BorrowedMessage<'_>) {
    let timestamp = message.timestamp().to_millis().unwrap_or(-1);
    let Some(headers) = message.headers().filter(|headers| headers.count() > 0) else {
        return rows.push(message.key(), message.payload(), timestamp);
    };
    // rdkafka panics over a name that is no utf-8.
    let read = catch_unwind(AssertUnwindSafe(|| {
        BorrowedHeaders::iter(headers).for_each(drop)
    }));
    if read.is_err() {
        let (partition, offset) = (message.partition(), message.offset());
        tracing::warn!(
            topic = message.topic(),
            partition,
            offset,
            "headers dropped: a name is not utf-8"
        );
        return rows.push(message.key(), message.payload(), timestamp);
    }
    let headers = headers.iter().map(|header| (header.key, header.value));
    rows.push_with_headers(message.key(), message.payload(), timestamp, headers);
}
