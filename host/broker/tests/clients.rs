//! Ordinary clients on the broker: what they write is what they read, what they abort nobody sees,
//! and what was answered is there after a restart.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use weir_broker::{Broker, Config, Delays, Error, Settings, Storage};

const SOON: Duration = Duration::from_secs(20);

/// A broker within this process.
struct Running {
    runtime: Runtime,
    broker: Option<Broker>,
}

impl Running {
    fn start(storage: Storage, settings: Settings) -> Result<Self, Error> {
        let runtime = Runtime::new().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            listen,
            storage,
            settings,
        };
        let broker = Some(runtime.block_on(Broker::start(config))?);
        Ok(Self { runtime, broker })
    }

    fn in_memory() -> Self {
        Self::start(Storage::Memory, Settings::default()).unwrap()
    }

    fn in_folder(folder: &TempDir) -> Self {
        let storage = Storage::Folder(folder.path().to_owned());
        let compaction_interval = Duration::from_millis(50);
        let settings = Settings {
            compaction_interval,
            ..Settings::default()
        };
        Self::start(storage, settings).unwrap()
    }

    fn client(&self) -> Client {
        Client(self.broker.as_ref().unwrap().bootstrap())
    }

    fn stop(mut self) {
        let broker = self.broker.take().unwrap();
        self.runtime.block_on(broker.stop()).unwrap();
    }
}

/// Makes clients of one broker.
struct Client(String);

impl Client {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.0)
            .set("linger.ms", "1");
        config
    }

    fn create(&self, topic: &str, config: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let mut topic = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        for (name, value) in config {
            topic = topic.set(name, value);
        }
        let runtime = Runtime::new().unwrap();
        let made = runtime
            .block_on(admin.create_topics([&topic], &AdminOptions::new()))
            .unwrap();
        made[0].as_ref().unwrap();
    }

    fn producer(&self) -> BaseProducer {
        self.config().create().unwrap()
    }

    fn transactional(&self, id: &str) -> BaseProducer {
        let mut config = self.config();
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", "30000");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(SOON).unwrap();
        producer
    }

    fn send(&self, topic: &str, rows: &[(&str, &str)]) {
        let producer = self.producer();
        send(&producer, topic, rows);
        producer.flush(SOON).unwrap();
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        self.config()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap()
    }

    /// All committed rows of the first partition: `key=value@offset`.
    fn committed(&self, topic: &str) -> Vec<String> {
        let consumer = self.consumer("reader");
        assign(&consumer, topic);
        let mut rows = Vec::new();
        loop {
            match consumer.poll(SOON).expect("there is always an end") {
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => return rows,
                Err(error) => panic!("{error}"),
                Ok(row) => {
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8(bytes.unwrap_or(b"null").to_vec()).unwrap()
                    };
                    let (key, value) = (text(row.key()), text(row.payload()));
                    rows.push(format!("{key}={value}@{}", row.offset()));
                }
            }
        }
    }

    fn position(&self, group: &str, topic: &str) -> Option<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        let known = self.consumer(group).committed_offsets(list, SOON).unwrap();
        match known.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}

fn send(producer: &BaseProducer, topic: &str, rows: &[(&str, &str)]) {
    for (key, value) in rows {
        producer
            .send(BaseRecord::to(topic).key(*key).payload(*value).partition(0))
            .unwrap();
    }
}

fn assign(consumer: &BaseConsumer, topic: &str) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&list).unwrap();
}

#[test]
fn headers_come_back_in_order_with_their_doubles() {
    let broker = Running::in_memory();
    let client = broker.client();
    client.create("orders", &[]);
    let pair = |key, value: Option<&'static str>| Header { key, value };
    let headers = OwnedHeaders::new()
        .insert(pair("try", Some("1")))
        .insert(pair("try", Some("2")))
        .insert(pair("none", None))
        .insert(pair("try", Some("")));
    let producer = client.producer();
    let row = BaseRecord::to("orders")
        .key("k")
        .payload("v")
        .headers(headers);
    producer.send(row.timestamp(1234)).unwrap();
    producer.flush(SOON).unwrap();

    let consumer = client.consumer("reader");
    assign(&consumer, "orders");
    let row = consumer.poll(SOON).unwrap().unwrap();
    let read: Vec<_> = row
        .headers()
        .unwrap()
        .iter()
        .map(|it| (it.key, it.value))
        .collect();
    let expected: [(&str, Option<&[u8]>); 4] = [
        ("try", Some(b"1")),
        ("try", Some(b"2")),
        ("none", None),
        ("try", Some(b"")),
    ];
    assert_eq!(read, expected);
    assert_eq!(row.timestamp().to_millis(), Some(1234));
    broker.stop();
}

#[test]
fn what_is_aborted_nobody_sees_and_no_offset_moves() {
    let broker = Running::in_memory();
    let client = broker.client();
    client.create("orders", &[]);
    client.create("decisions", &[]);
    client.send("orders", &[("a", "1")]);
    let consumer = client.consumer("shop");
    let metadata = || consumer.group_metadata().unwrap();
    let mut read = TopicPartitionList::new();
    read.add_partition_offset("orders", 0, Offset::Offset(1))
        .unwrap();

    let producer = client.transactional("shop-1");
    producer.begin_transaction().unwrap();
    send(&producer, "decisions", &[("a", "never was")]);
    producer
        .send_offsets_to_transaction(&read, &metadata(), SOON)
        .unwrap();
    producer.flush(SOON).unwrap();
    assert!(
        client.committed("decisions").is_empty(),
        "open, and not to be seen"
    );
    producer.abort_transaction(SOON).unwrap();
    assert!(client.committed("decisions").is_empty());
    assert_eq!(client.position("shop", "orders"), None);

    producer.begin_transaction().unwrap();
    send(&producer, "decisions", &[("a", "accepted")]);
    producer
        .send_offsets_to_transaction(&read, &metadata(), SOON)
        .unwrap();
    producer.commit_transaction(SOON).unwrap();
    assert_eq!(
        client.committed("decisions"),
        ["a=accepted@2"],
        "after a record and a marker"
    );
    assert_eq!(client.position("shop", "orders"), Some(1));
    broker.stop();
}

#[test]
fn a_producer_whose_id_was_taken_writes_no_more() {
    let broker = Running::in_memory();
    let client = broker.client();
    client.create("decisions", &[]);
    let zombie = client.transactional("shop-1");
    zombie.begin_transaction().unwrap();
    send(&zombie, "decisions", &[("a", "zombie")]);
    zombie.flush(SOON).unwrap();

    let heir = client.transactional("shop-1");
    let error = zombie.commit_transaction(SOON).unwrap_err();
    assert!(
        error.to_string().to_lowercase().contains("fenced"),
        "{error}"
    );
    heir.begin_transaction().unwrap();
    send(&heir, "decisions", &[("a", "heir")]);
    heir.commit_transaction(SOON).unwrap();
    assert_eq!(client.committed("decisions"), ["a=heir@2"]);
    broker.stop();
}

#[test]
fn a_restart_loses_nothing_that_was_answered() {
    let folder = TempDir::new().unwrap();
    let broker = Running::in_folder(&folder);
    let client = broker.client();
    client.create("orders", &[("retention.ms", "-1")]);
    client.send("orders", &[("a", "1"), ("b", "2")]);
    leave_a_position(&client, 2);
    let producer = client.transactional("shop-1");
    for (value, committed) in [("committed", true), ("aborted", false)] {
        producer.begin_transaction().unwrap();
        send(&producer, "orders", &[("c", value)]);
        producer.flush(SOON).unwrap();
        if committed {
            producer.commit_transaction(SOON).unwrap();
        } else {
            producer.abort_transaction(SOON).unwrap();
        }
    }
    producer.begin_transaction().unwrap();
    send(&producer, "orders", &[("d", "open")]);
    producer.flush(SOON).unwrap();
    client.send("orders", &[("e", "behind it")]);
    broker.stop();

    let broker = Running::in_folder(&folder);
    let client = broker.client();
    let before = ["a=1@0", "b=2@1", "c=committed@2"];
    assert_eq!(
        client.committed("orders"),
        before,
        "the open transaction is still open"
    );
    assert_eq!(client.position("shop", "orders"), Some(2));
    drop(client.transactional("shop-1"));
    let after = ["a=1@0", "b=2@1", "c=committed@2", "e=behind it@7"];
    assert_eq!(client.committed("orders"), after, "its heir has aborted it");
    broker.stop();
}

#[test]
fn members_of_a_group_outlive_a_restart() {
    let folder = TempDir::new().unwrap();
    let broker = Running::in_folder(&folder);
    let client = broker.client();
    client.create("orders", &[]);
    let member = client.consumer("shop");
    member.subscribe(&["orders"]).unwrap();
    let since = Instant::now();
    while member.assignment().unwrap().count() == 0 {
        assert!(since.elapsed() < SOON, "it gets no partition");
        let _ = member.poll(Duration::from_millis(50));
    }
    let described = |client: &Client| {
        let groups = client
            .consumer("reader")
            .fetch_group_list(Some("shop"), SOON)
            .unwrap();
        let group = &groups.groups()[0];
        let ids: Vec<_> = group
            .members()
            .iter()
            .map(|it| it.id().to_owned())
            .collect();
        (group.state().to_owned(), ids)
    };
    let before = described(&client);
    assert_eq!((before.0.as_str(), before.1.len()), ("Stable", 1));
    broker.stop();
    let broker = Running::in_folder(&folder);
    assert_eq!(described(&broker.client()), before);
    broker.stop();
}

fn leave_a_position(client: &Client, offset: i64) {
    let consumer = client.consumer("shop");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("orders", 0, Offset::Offset(offset))
        .unwrap();
    consumer.assign(&list).unwrap();
    consumer
        .commit(&list, rdkafka::consumer::CommitMode::Sync)
        .unwrap();
}

#[test]
fn a_compacted_log_keeps_the_newest_of_each_key_over_a_restart() {
    let folder = TempDir::new().unwrap();
    let broker = Running::in_folder(&folder);
    let client = broker.client();
    let compacted = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    client.create("stock", &compacted);
    for value in ["1", "2", "3"] {
        client.send("stock", &[("a", value), ("b", value)]);
    }
    let expected = ["a=3@4", "b=3@5", "end=1@6"];
    client.send("stock", &[("end", "1")]);
    let since = Instant::now();
    while client.committed("stock") != expected {
        assert!(since.elapsed() < SOON, "{:?}", client.committed("stock"));
    }
    broker.stop();
    let broker = Running::in_folder(&folder);
    assert_eq!(broker.client().committed("stock"), expected);
    broker.stop();
}

#[test]
fn waits_of_a_cluster_can_be_asked_for_and_clients_bear_them() {
    let wait = Duration::from_millis(200);
    let delays = Delays {
        new_topic: wait,
        end_of_transaction: wait,
    };
    let settings = Settings {
        delays,
        ..Settings::default()
    };
    let broker = Running::start(Storage::Memory, settings).unwrap();
    let client = broker.client();
    let since = Instant::now();
    client.create("orders", &[]);
    client.send("orders", &[("a", "1")]);
    assert!(since.elapsed() >= wait, "the topic had no leader");
    let producer = client.transactional("shop-1");
    let since = Instant::now();
    for _ in 0..2 {
        producer.begin_transaction().unwrap();
        send(&producer, "orders", &[("a", "2")]);
        producer.commit_transaction(SOON).unwrap();
    }
    assert!(since.elapsed() >= wait, "the id was busy");
    broker.stop();
}

#[test]
fn a_folder_and_an_address_belong_to_one_broker() {
    let folder = TempDir::new().unwrap();
    let broker = Running::in_folder(&folder);
    let storage = Storage::Folder(folder.path().to_owned());
    let error = Running::start(storage, Settings::default()).err().unwrap();
    assert!(
        error.to_string().contains("is used by another broker"),
        "{error}"
    );

    let listen = broker.broker.as_ref().unwrap().address();
    let config = Config {
        listen,
        storage: Storage::Memory,
        settings: Settings::default(),
    };
    let error = broker
        .runtime
        .block_on(Broker::start(config))
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("is another broker running there?"),
        "{error}"
    );
    broker.stop();
}

/// A broker in a process of its own, killed when dropped.
struct Process(Child);

impl Process {
    fn start(listen: &str, folder: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_weir-broker"))
            .args(["--listen", listen, "--data"])
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let since = Instant::now();
        while std::net::TcpStream::connect(listen).is_err() {
            assert!(since.elapsed() < SOON, "it does not listen on {listen}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn kill_nine_amid_transactions_leaves_each_one_whole() {
    let folder = TempDir::new().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let listen = free.to_string();
    let mut answered = 0;
    for round in 0..3 {
        let process = Process::start(&listen, folder.path());
        let client = Client(listen.clone());
        if round == 0 {
            client.create("left", &[]);
            client.create("right", &[]);
        }
        let producer = client.transactional("writer");
        for n in 0..20 {
            let value = format!("{round}.{n}");
            producer.begin_transaction().unwrap();
            send(&producer, "left", &[("k", &value)]);
            send(&producer, "right", &[("k", &value)]);
            producer.commit_transaction(SOON).unwrap();
            answered += 1;
        }
        producer.begin_transaction().unwrap();
        send(&producer, "left", &[("k", "torn")]);
        producer.flush(SOON).unwrap();
        drop(process);
    }
    let _process = Process::start(&listen, folder.path());
    let client = Client(listen);
    drop(client.transactional("writer"));
    let values = |topic: &str| -> Vec<String> {
        let rows = client.committed(topic).into_iter();
        rows.map(|row| row.split(['=', '@']).nth(1).unwrap().to_owned())
            .collect()
    };
    assert_eq!(values("left").len(), answered);
    assert_eq!(values("left"), values("right"));
}
