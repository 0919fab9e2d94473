//! A plain Kafka client, as anybody would write one with rdkafka: it knows nothing of weir.
//!
//! It reads committed rows only, and partitions keys by murmur2 as Java's client does. Everything
//! has a limit of time; what cannot be done panics and names topic and cause.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{
    ClientConfig, FromClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::row::{NewRow, Row};
use crate::wait::{self, SOON};

/// A client of one cluster. Cheap: it holds the address alone and connects for each thing that it
/// does.
#[derive(Clone, Debug)]
pub struct Client {
    bootstrap: String,
}

impl Client {
    /// A client of the brokers at `bootstrap` (`host:port`, comma-separated).
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
        }
    }

    /// The configuration that all of it starts from, for tests that need an rdkafka client of their
    /// own.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("partitioner", "murmur2_random")
            .set_log_level(RDKafkaLogLevel::Critical);
        config
    }

    /// Whether a broker answers within `limit`.
    pub fn answers(&self, limit: Duration) -> bool {
        let client: BaseConsumer = self.create(&self.config());
        client
            .fetch_metadata(None, limit)
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
    }

    /// Makes topics of 4 partitions. A topic that is there already is an error.
    #[track_caller]
    pub fn create_topics(&self, names: &[&str]) {
        for name in names {
            self.create_topic(name, 4, &[]);
        }
    }

    /// Makes a topic, with settings such as `("cleanup.policy", "compact")`; returns once it takes
    /// rows.
    #[track_caller]
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let admin: AdminClient<DefaultClientContext> = self.create(&self.config());
        let options = AdminOptions::new().operation_timeout(Some(SOON));
        let result = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread needs nothing that could lack")
            .block_on(admin.create_topics([&topic], &options));
        match result.map(|mut results| results.pop()) {
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err((_, code)))) => panic!("creating topic {name}: {code}"),
            Ok(None) => panic!("creating topic {name}: no answer about it"),
            Err(error) => panic!("creating topic {name}: {error}"),
        }
        wait::until(&format!("topic {name} has all its partitions"), || {
            (self.partitions(name) == Some(partitions)).then_some(())
        });
    }

    /// How many partitions a topic has; `None` if there is no such topic, or not all of it has a
    /// leader yet.
    #[track_caller]
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        // Without leave to create topics: asking for one must not make it.
        let client: BaseConsumer =
            self.create(self.config().set("allow.auto.create.topics", "false"));
        let metadata = client.fetch_metadata(Some(topic), SOON);
        let metadata = metadata.unwrap_or_else(|error| panic!("asking for {topic}: {error}"));
        let topic = metadata
            .topics()
            .first()
            .filter(|topic| topic.error().is_none())?;
        let led = topic
            .partitions()
            .iter()
            .all(|partition| partition.leader() >= 0);
        (led && !topic.partitions().is_empty()).then(|| {
            i32::try_from(topic.partitions().len()).expect("partitions are numbered in 31 bits")
        })
    }

    /// The names of all topics but Kafka's own.
    #[track_caller]
    pub fn topics(&self) -> Vec<String> {
        let client: BaseConsumer = self.create(&self.config());
        let metadata = client.fetch_metadata(None, SOON);
        let metadata = metadata.unwrap_or_else(|error| panic!("listing topics: {error}"));
        let names = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned());
        let mut names: Vec<_> = names
            .filter(|name| name != "__consumer_offsets" && name != "__transaction_state")
            .collect();
        names.sort();
        names
    }

    /// Writes rows in order, and returns when all are acknowledged by the broker.
    #[track_caller]
    pub fn produce(&self, topic: &str, rows: impl IntoIterator<Item = NewRow>) {
        let writer = self.writer();
        rows.into_iter().for_each(|row| writer.send(topic, &row));
        writer.flush();
    }

    /// A producer that stays connected: for many rows over some time.
    #[track_caller]
    pub fn writer(&self) -> Writer {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "0");
        let producer = BaseProducer::from_config_and_context(&config, Deliveries::default());
        let producer = producer.unwrap_or_else(|error| panic!("a producer: {error}"));
        Writer { producer }
    }

    /// Every committed row of a topic, as of now: partition by partition, each in order. A
    /// transaction that is still open hides what comes after it. Panics if it takes longer than
    /// [`SOON`].
    #[track_caller]
    pub fn read(&self, topic: &str) -> Vec<Row> {
        let partitions = self
            .partitions(topic)
            .unwrap_or_else(|| panic!("no topic {topic}"));
        let mut config = self.config();
        config
            .set("group.id", "weir-tests-read") // by name only: nothing is committed or subscribed
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer = self.create(&config);
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .expect("the beginning is a valid offset");
        }
        consumer
            .assign(&assignment)
            .unwrap_or_else(|error| panic!("reading {topic}: {error}"));

        let mut rows: BTreeMap<i32, Vec<Row>> = BTreeMap::new();
        let mut ended = vec![false; partitions.unsigned_abs() as usize];
        let begun = Instant::now();
        while ended.contains(&false) {
            assert!(
                begun.elapsed() < SOON,
                "reading {topic}: not at its end after {SOON:?}"
            );
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    rows.entry(message.partition())
                        .or_default()
                        .push(row(&message));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended[partition.unsigned_abs() as usize] = true;
                }
                // The broker may be on its way back; librdkafka keeps trying.
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(passing) => {}
                Some(Err(error)) => panic!("reading {topic}: {error}"),
                None => {}
            }
        }
        rows.into_values().flatten().collect()
    }

    /// Reads the topic again and again until it satisfies `enough`; panics after [`SOON`] and says
    /// how many rows it has.
    #[track_caller]
    pub fn read_until(&self, topic: &str, enough: impl Fn(&[Row]) -> bool) -> Vec<Row> {
        let mut last = 0;
        let rows = wait::within(SOON, || {
            let rows = self.read(topic);
            last = rows.len();
            enough(&rows).then_some(rows)
        });
        rows.unwrap_or_else(|| panic!("{topic} never had what was waited for; it has {last} rows"))
    }

    /// The committed positions of a group in a topic, a partition each; `None` where it has none.
    #[track_caller]
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let partitions = self
            .partitions(topic)
            .unwrap_or_else(|| panic!("no topic {topic}"));
        let consumer: BaseConsumer = self.create(self.config().set("group.id", group));
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, partitions - 1);
        let found = consumer.committed_offsets(asked, SOON);
        let found =
            found.unwrap_or_else(|error| panic!("positions of {group} in {topic}: {error}"));
        let offsets = found.elements().into_iter().map(|element| element.offset());
        offsets
            .map(|offset| {
                if let Offset::Offset(at) = offset {
                    Some(at)
                } else {
                    None
                }
            })
            .collect()
    }

    #[track_caller]
    fn create<T: FromClientConfig>(&self, config: &ClientConfig) -> T {
        config
            .create()
            .unwrap_or_else(|error| panic!("a client of {}: {error}", self.bootstrap))
    }
}

/// Errors that go away by themselves while a broker restarts.
fn passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
    )
}

/// Writes rows over one connection. Dropped, it forgets what is not acknowledged: [`Writer::flush`]
/// first.
pub struct Writer {
    producer: BaseProducer<Deliveries>,
}

impl Writer {
    /// Hands a row to the client, which sends it by itself and in order.
    #[track_caller]
    pub fn send(&self, topic: &str, row: &NewRow) {
        let begun = Instant::now();
        let mut record = record(topic, row);
        while let Err((error, back)) = self.producer.send(record) {
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            assert!(
                full && begun.elapsed() < SOON,
                "writing to {topic}: {error}"
            );
            self.producer.poll(Duration::from_millis(10));
            record = back;
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Returns when all rows so far are acknowledged by the broker.
    #[track_caller]
    pub fn flush(&self) {
        self.producer
            .flush(SOON)
            .unwrap_or_else(|error| panic!("writing rows: {error}"));
        let failures = self.producer.context().failures.lock();
        let failures = failures.unwrap_or_else(PoisonError::into_inner);
        assert!(failures.is_empty(), "writing rows: {}", failures.join(", "));
    }
}

/// Remembers the rows that a broker refused.
#[derive(Default)]
struct Deliveries {
    failures: Mutex<Vec<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.push(error.to_string());
        }
    }
}

fn record<'a>(topic: &'a str, row: &'a NewRow) -> BaseRecord<'a, [u8], [u8]> {
    let mut record = BaseRecord::to(topic);
    if let Some(key) = &row.key {
        record = record.key(key.as_slice());
    }
    if let Some(value) = &row.value {
        record = record.payload(value.as_slice());
    }
    if let Some(partition) = row.partition {
        record = record.partition(partition);
    }
    if let Some(timestamp) = row.timestamp_ms {
        record = record.timestamp(timestamp);
    }
    if !row.headers.is_empty() {
        let headers = row
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            });
        record = record.headers(headers);
    }
    record
}

fn row(message: &BorrowedMessage<'_>) -> Row {
    let headers = message
        .headers()
        .map(|headers| headers.iter())
        .into_iter()
        .flatten();
    Row {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|it| (it.key.to_owned(), it.value.map(<[u8]>::to_vec)))
            .collect(),
    }
}
