//! A worker's transactions: outputs, changelogs and positions, all or nothing.
//!
//! The transactional id is a worker's own and stable, so that a worker that comes back ends its own
//! orphan, and a zombie is fenced. Rows' values are not copied: the producer keeps what it was
//! given until the transaction has ended. After any error but [`Error::Abortable`] the producer is
//! done for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::Offset;
use weir_core::record::{Batch, Column};
use weir_core::task::Position;

use super::append::{Row, Topic};
use super::cluster::Cluster;
use super::context::log_line;
use super::error::Error;
use super::flusher::Flusher;
use super::lanes::{Partition, raw};
use super::membership::GroupMetadata;

/// To which partitions rows go.
#[derive(Clone, Copy, Debug)]
pub enum Partitioning<'a> {
    /// All to this one.
    One(u32),
    /// Each to its own.
    Each(&'a [u32]),
}

/// How far the partitions that a transaction wrote to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(HashMap<Partition, i64>);

impl Ends {
    /// The offset after the transaction's last row in a partition; `None`: it wrote none there.
    pub fn of(&self, partition: &Partition) -> Option<i64> {
        self.0.get(partition).copied()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.0.iter().map(|(partition, &end)| (partition, end))
    }
}

/// A worker's transactional producer.
pub struct Producer {
    /// What was ever written to. Before the producer: fields are dropped in this order.
    written: HashMap<String, Written>,
    flusher: Flusher,
    producer: Arc<BaseProducer<Deliveries>>,
    /// The values of the open transaction, which librdkafka sends from where they are. After the
    /// producer: fields are dropped in this order.
    kept: Vec<Column>,
    partitions: Vec<Partition>,
    open: bool,
    timeout: Duration,
}

/// A topic that was written to, and the slots of its partitions.
struct Written {
    handle: Topic,
    slots: Vec<Option<usize>>,
}

/// Takes delivery reports: the last offset of each slot, and the first failure.
#[derive(Default)]
struct Deliveries {
    delivered: Mutex<Delivered>,
}

#[derive(Default)]
struct Delivered {
    /// By slot; -1: nothing in this transaction.
    last: Vec<i64>,
    failed: Option<(usize, Code)>,
}

impl Written {
    /// The slot of a partition; a new one is put at the end of `all`.
    fn slot(&mut self, topic: &str, partition: u32, all: &mut Vec<Partition>) -> usize {
        let place = partition as usize;
        if self.slots.len() <= place {
            self.slots.resize(place + 1, None);
        }
        *self.slots[place].get_or_insert_with(|| {
            all.push(Partition::new(topic, partition));
            all.len() - 1
        })
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "weir::kafka", %error, reason, "producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        let mut delivered = self.delivered.lock();
        match result {
            Ok(message) => {
                if delivered.last.len() <= slot {
                    delivered.last.resize(slot + 1, -1);
                }
                delivered.last[slot] = delivered.last[slot].max(message.offset());
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                delivered.failed.get_or_insert((slot, code));
            }
        }
    }
}

impl Producer {
    /// Makes the producer and ends what a former one of this id has left open: after this, a zombie
    /// of it is fenced. Waits for the brokers. `batch_bytes`: the smallest `max.message.bytes` of
    /// the topics that it will write to.
    pub fn open(
        cluster: &Cluster,
        transactional_id: &str,
        batch_bytes: u32,
    ) -> Result<Producer, Error> {
        let doing = || format!("opening the transactional producer `{transactional_id}`");
        let settings = cluster.settings();
        let config = settings.producer(transactional_id, batch_bytes);
        let producer = BaseProducer::from_config_and_context(&config, Deliveries::default())
            .map_err(|error| Error::of(doing(), &error))?;
        producer
            .init_transactions(settings.request_timeout)
            .map_err(|error| Error::of(doing(), &error))?;
        let producer = Arc::new(producer);
        let flusher = Flusher::of(Arc::clone(&producer)).map_err(|error| Error::Broken {
            doing: doing(),
            reason: error.to_string(),
        })?;
        Ok(Producer {
            written: HashMap::new(),
            flusher,
            producer,
            kept: Vec::new(),
            partitions: Vec::new(),
            open: false,
            timeout: settings.transaction_timeout,
        })
    }

    /// Asks who leads these topics' partitions, one short request each: else librdkafka asks when
    /// the first row of a topic is there, and lets it wait for a tenth of a second.
    pub fn meet<'t>(&self, topics: impl IntoIterator<Item = &'t str>) -> Result<(), Error> {
        for topic in topics {
            self.producer
                .client()
                .fetch_metadata(Some(topic), self.timeout)
                .map_err(|error| Error::of(format!("asking about `{topic}`"), &error))?;
        }
        Ok(())
    }

    /// Bytes that are kept until the transaction ends.
    pub fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|values| values.bytes().len()).sum()
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Begins a transaction, unless one is open. No request.
    pub fn begin(&mut self) -> Result<(), Error> {
        if self.open {
            return Ok(());
        }
        self.producer
            .begin_transaction()
            .map_err(|error| Error::of("beginning a transaction", &error))?;
        let mut delivered = self.producer.context().delivered.lock();
        delivered.failed = None;
        delivered.last.fill(-1);
        drop(delivered);
        self.open = true;
        Ok(())
    }

    /// Appends rows, with their headers and timestamps, to the open transaction, and keeps their
    /// values until its end. Waits only while the queue to the brokers is full. Panics outside of a
    /// transaction.
    #[expect(
        unsafe_code,
        reason = "values are sent from where they are, and kept for that"
    )]
    pub fn produce(
        &mut self,
        topic: &str,
        rows: Batch,
        partitions: Partitioning<'_>,
    ) -> Result<(), Error> {
        assert!(self.open, "rows are produced in a transaction");
        if !self.written.contains_key(topic) {
            let handle = Topic::of(&self.producer, topic).ok_or_else(|| Error::Refused {
                doing: "producing".to_owned(),
                reason: format!("`{topic}` is no topic's name"),
            })?;
            let slots = Vec::new();
            let written = Written { handle, slots };
            self.written.insert(topic.to_owned(), written);
        }
        let written = self.written.get_mut(topic).expect("it was just put there");
        // Before the first row of it goes; its bytes stay where they are.
        self.kept.push(rows.values);
        let values = self.kept.last().expect("it was just put there");
        let mut refused = None;
        for number in 0..values.len() {
            let partition = match partitions {
                Partitioning::One(partition) => partition,
                Partitioning::Each(partitions) => partitions[number],
            };
            let row = Row {
                partition: raw(partition),
                key: rows.keys.get(number),
                value: values.get(number),
                timestamp: rows.timestamps[number],
                opaque: written.slot(topic, partition, &mut self.partitions),
            };
            let headers = || rows.headers.iter().flat_map(|headers| headers.row(number));
            // SAFETY: the values are kept until the reports of all rows were taken, or the producer
            // is gone.
            let append = || unsafe { written.handle.append(&row, headers()) };
            let mut appended = append();
            if appended == Err(Code::QueueFull) {
                let since = Instant::now();
                while appended == Err(Code::QueueFull) && since.elapsed() < self.timeout {
                    wait(&self.producer);
                    appended = append();
                }
            }
            refused = appended.err();
            if refused.is_some() {
                break;
            }
        }
        if let Some(code) = refused {
            let doing = format!("producing to {topic}");
            return Err(self.explained(Error::of_code(doing, code)));
        }
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// Rows that were produced wait for a full batch no longer. Returns at once.
    pub fn send(&self) {
        if self.producer.in_flight_count() > 0 {
            self.flusher.flush();
        }
    }

    /// Ends the transaction with these positions (next offset to read, and metadata), fenced by the
    /// group. Everything that was produced is acknowledged first. Errors: [`Error::Abortable`]:
    /// abort; anything else: the producer is done for, and whether the transaction has committed is
    /// known only from what is committed.
    pub fn commit(
        &mut self,
        positions: &[(Position, String)],
        group: &GroupMetadata,
    ) -> Result<Ends, Error> {
        assert!(self.open, "a transaction is committed that was begun");
        let deadline = Instant::now() + self.timeout;
        self.send();
        let committed = self.finish(positions, group, deadline);
        self.flusher.rest();
        committed?;
        self.open = false;
        self.release();
        let delivered = self.producer.context().delivered.lock();
        let written = self
            .partitions
            .iter()
            .zip(&delivered.last)
            .filter(|(_, last)| **last >= 0);
        Ok(Ends(
            written
                .map(|(partition, &last)| (partition.clone(), last + 1))
                .collect(),
        ))
    }

    /// The steps of a commit.
    fn finish(
        &self,
        positions: &[(Position, String)],
        group: &GroupMetadata,
        deadline: Instant,
    ) -> Result<(), Error> {
        const DOING: &str = "committing";
        if !positions.is_empty() {
            let list = list_of(positions)?;
            self.retrying(deadline, |producer, left| {
                producer.send_offsets_to_transaction(&list, &group.0, left)
            })
            .map_err(|error| self.explained(Error::of(DOING, &error)))?;
        }
        self.drain(deadline)?;
        self.retrying(deadline, |producer, left| producer.commit_transaction(left))
            .map_err(|error| self.explained(Error::of(DOING, &error)))
    }

    /// Ends the transaction with nothing; does nothing where none is open. Errors: the producer is
    /// done for, the transaction is not; so it is, too, once the brokers have refused a row: its
    /// sequence number is lost, and the next row would be refused for the gap.
    pub fn abort(&mut self) -> Result<(), Error> {
        if !self.open {
            return Ok(());
        }
        let deadline = Instant::now() + self.timeout;
        // librdkafka purges what is queued (doing that before it leaves gaps in its sequence
        // numbers), and waits for reports that only a poll takes from its queue.
        let ended = AtomicBool::new(false);
        let aborted = thread::scope(|threads| {
            threads.spawn(|| {
                while !ended.load(Ordering::Acquire) {
                    wait(&self.producer);
                }
            });
            let aborted =
                self.retrying(deadline, |producer, left| producer.abort_transaction(left));
            ended.store(true, Ordering::Release);
            aborted
        });
        aborted.map_err(|error| Error::of("aborting", &error))?;
        self.open = false;
        self.release();
        let failed = self.producer.context().delivered.lock().failed;
        match failed.filter(|(_, code)| !matches!(code, Code::PurgeQueue | Code::PurgeInflight)) {
            None => Ok(()),
            Some((slot, code)) => Err(Error::Broken {
                doing: "going on after an abort".to_owned(),
                reason: format!("{} refused a row: {code}", self.partitions[slot]),
            }),
        }
    }

    /// Gives up the values that nobody sends any more.
    fn release(&mut self) {
        if self.producer.in_flight_count() == 0 {
            self.kept.clear();
        }
    }

    /// Waits until every row is acknowledged. Once one has failed, librdkafka sends no more of
    /// them.
    fn drain(&self, deadline: Instant) -> Result<(), Error> {
        loop {
            let before = self.producer.in_flight_count();
            if before == 0 {
                return Ok(());
            }
            // Takes one report, of all rows of a request.
            self.producer.poll(Duration::ZERO);
            if self.producer.context().delivered.lock().failed.is_some() {
                return Err(self.failed());
            }
            if Instant::now() > deadline {
                return Err(Error::of_code(
                    "waiting for acknowledgements",
                    Code::OperationTimedOut,
                ));
            }
            if self.producer.in_flight_count() >= before {
                wait(&self.producer);
            }
        }
    }

    /// A step of a transaction's end is taken up again by the same call.
    fn retrying(
        &self,
        deadline: Instant,
        step: impl Fn(&BaseProducer<Deliveries>, Duration) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match step(&self.producer, left.max(Duration::from_millis(1))) {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable()
                        && !error.is_fatal()
                        && !error.txn_requires_abort()
                        && !left.is_zero() =>
                {
                    wait(&self.producer);
                }
                answer => return answer,
            }
        }
    }

    /// Why a row was not delivered, by what librdkafka has made of it.
    fn failed(&self) -> Error {
        let doing = "committing";
        let error = match self.producer.client().fatal_error() {
            Some((code, reason)) => match Error::of_code(doing, code) {
                fenced @ Error::Fenced { .. } => fenced,
                _ => Error::Broken {
                    doing: doing.to_owned(),
                    reason,
                },
            },
            None => Error::Abortable {
                doing: doing.to_owned(),
                reason: "nothing of the transaction is kept".to_owned(),
            },
        };
        self.explained(error)
    }

    /// An abort, with the row that caused it.
    fn explained(&self, error: Error) -> Error {
        let failed = self.producer.context().delivered.lock().failed;
        match (error, failed) {
            (Error::Abortable { doing, reason }, Some((slot, code))) => {
                let partition = &self.partitions[slot];
                Error::Abortable {
                    doing,
                    reason: format!("{partition} refused a row: {code} ({reason})"),
                }
            }
            (error, _) => error,
        }
    }
}

/// Waits a millisecond, and takes a report of what librdkafka has done. Waiting is not left to
/// rdkafka's `poll`: it goes on until its time is up, and its last millisecond is a busy loop.
pub(super) fn wait<C: ProducerContext>(producer: &BaseProducer<C>) {
    thread::sleep(Duration::from_millis(1));
    producer.poll(Duration::ZERO);
}

fn list_of(positions: &[(Position, String)]) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (position, metadata) in positions {
        let mut element = list.add_partition(&position.topic, raw(position.partition));
        element
            .set_offset(Offset::Offset(position.offset))
            .map_err(|error| Error::of("committing", &error))?;
        if !metadata.is_empty() {
            element.set_metadata(metadata);
        }
    }
    Ok(list)
}
