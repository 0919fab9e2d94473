//! What the stories are told with works as it says, on either broker.

use std::time::Duration;

use weir_tests::broker;
use weir_tests::row::NewRow;
use weir_tests::{Broker, Row};

/// A topic of its own on the shared broker.
fn topic(name: &str, partitions: i32) -> (weir_tests::Client, String) {
    let client = broker::shared().client();
    let name = format!("harness-{name}");
    client.create_topic(&name, partitions, &[]);
    (client, name)
}

fn keys(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(Row::key_text).collect()
}

#[test]
fn what_is_written_is_read_with_everything_that_belongs_to_it() {
    let (client, topic) = topic("everything", 4);
    client.produce(
        &topic,
        [
            NewRow::new("a", "1").partition(2).at(1_700_000_000_000),
            NewRow::tombstone("a").partition(2),
            NewRow::new("b", r#"{"n":2}"#)
                .partition(3)
                .header("h", "x")
                .header("h", "y"),
            NewRow::value("keyless").partition(0),
        ],
    );
    let rows = client.read(&topic);
    assert_eq!(rows.len(), 4);
    assert_eq!(
        (rows[0].key.as_deref(), rows[0].value_text()),
        (None, "keyless")
    );
    assert_eq!(
        (rows[1].partition, rows[1].timestamp_ms),
        (2, 1_700_000_000_000)
    );
    assert_eq!((rows[2].offset, rows[2].value.as_deref()), (1, None));
    assert_eq!(rows[3].json()["n"], 2);
    assert_eq!(
        rows[3].headers.len(),
        2,
        "both headers of one name: {:?}",
        rows[3].headers
    );
    assert_eq!(rows[3].header("h"), Some("x"));
}

#[test]
fn an_empty_topic_is_read_at_once() {
    let (client, topic) = topic("empty", 4);
    assert_eq!(client.read(&topic), []);
}

#[test]
fn keys_go_where_javas_client_puts_them() {
    let (client, topic) = topic("keys", 4);
    let names = ["JUMPERS", "UNDERPANTS", "STOCKINGS", "", "0", "1"];
    client.produce(&topic, names.map(|name| NewRow::new(name, "")));
    for row in client.read(&topic) {
        let hash = murmur2(row.key_text().as_bytes()) & 0x7fff_ffff;
        assert_eq!(
            u32::try_from(row.partition),
            Ok(hash % 4),
            "{:?}",
            row.key_text()
        );
    }
}

#[test]
fn only_committed_rows_are_read() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let (client, topic) = topic("committed", 1);
    let limit = Duration::from_secs(30);
    let mut config = client.config();
    config.set("transactional.id", "harness-committed");
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(limit).expect("init");
    let send = |key: &str| {
        producer
            .send(BaseRecord::to(&topic).key(key).payload(""))
            .is_ok()
    };

    producer.begin_transaction().expect("begin");
    assert!(send("committed"));
    producer.commit_transaction(limit).expect("commit");
    producer.begin_transaction().expect("begin");
    assert!(send("aborted"));
    producer.flush(limit).expect("flush");
    producer.abort_transaction(limit).expect("abort");
    producer.begin_transaction().expect("begin");
    assert!(send("open"));
    producer.flush(limit).expect("flush");

    assert_eq!(keys(&client.read(&topic)), ["committed"]);
    producer.commit_transaction(limit).expect("commit");
    let rows = client.read_until(&topic, |rows| rows.len() >= 2);
    assert_eq!(keys(&rows), ["committed", "open"]);
}

#[test]
fn positions_of_a_group_are_seen_once_it_has_committed_them() {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
    use rdkafka::{Offset, TopicPartitionList};
    let (client, topic) = topic("positions", 2);
    client.produce(&topic, [NewRow::new("a", "1").partition(1)]);
    assert_eq!(client.committed("harness-group", &topic), [None, None]);
    let consumer: BaseConsumer = client
        .config()
        .set("group.id", "harness-group")
        .create()
        .expect("a consumer");
    let mut positions = TopicPartitionList::new();
    positions
        .add_partition_offset(&topic, 1, Offset::Offset(1))
        .expect("a position");
    consumer
        .commit(&positions, CommitMode::Sync)
        .expect("commit");
    assert_eq!(client.committed("harness-group", &topic), [None, Some(1)]);
}

#[test]
fn a_topic_that_is_not_there_is_not_made_by_asking() {
    let client = broker::shared().client();
    assert_eq!(client.partitions("harness-nowhere"), None);
    assert!(!client.topics().contains(&"harness-nowhere".to_owned()));
}

#[test]
fn a_durable_broker_has_its_rows_after_a_sigkill() {
    let mut broker = Broker::durable();
    let (client, bootstrap) = (broker.client(), broker.bootstrap());
    client.create_topics(&["kept"]);
    client.produce("kept", [NewRow::new("a", "1")]);
    broker.kill9();
    assert!(!client.answers(Duration::from_millis(200)));
    broker.start_again();
    assert_eq!(broker.bootstrap(), bootstrap);
    client.produce("kept", [NewRow::new("a", "2")]);
    let rows = client.read_until("kept", |rows| rows.len() >= 2);
    assert_eq!(keys(&rows), ["a", "a"]);
}

/// Kafka's hash of keys, from the definition: 32-bit MurmurHash2 with seed 0x9747b28c.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(bytes.len()).expect("keys are short");
    let mut hash = 0x9747_b28c ^ length;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let tail = rest
            .iter()
            .rev()
            .fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}
