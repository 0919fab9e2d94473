//! The broker as the benchmark uses it: loading topics, reading them, watching a group's progress.
//!
//! Settings are those of the bare loop: large batches, and no waiting that is not asked for.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use weir_tests::{Client, wait};

use crate::rows::{Rows, key_bytes};

/// Partitions of every topic.
pub(crate) const PARTITIONS: i32 = 4;
/// How long a broker may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings of a reader of committed rows that is never starved by its own back-off.
pub(crate) fn consumer_config(client: &Client) -> ClientConfig {
    let mut config = client.config();
    config
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        // By default a full queue makes the fetcher sleep a second.
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "200000")
        .set("queued.max.messages.kbytes", "262144")
        .set("fetch.message.max.bytes", "4194304")
        .set("fetch.wait.max.ms", "100");
    config
}

/// Settings of a writer of large batches. Its partitioner is every Java client's.
pub(crate) fn producer_config(client: &Client) -> ClientConfig {
    let mut config = client.config();
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("batch.size", "1048576")
        .set("batch.num.messages", "100000")
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "1048576");
    config
}

/// Writes all rows into a topic; returns when the broker has them.
pub(crate) fn fill(client: &Client, topic: &str, rows: &Rows) -> anyhow::Result<()> {
    let producer: BaseProducer = producer_config(client).create()?;
    let mut value = Vec::new();
    for i in 0..rows.count {
        rows.value(i, &mut value);
        let key = key_bytes(rows.key(i));
        let record = BaseRecord::to(topic).key(&key[..]).payload(&value[..]);
        send(&producer, record.timestamp(rows.timestamp_ms(i)))?;
    }
    drain(&producer)
}

/// Sends a row; waits while the queue is full.
pub(crate) fn send(
    producer: &BaseProducer,
    mut record: BaseRecord<'_, [u8], [u8]>,
) -> anyhow::Result<()> {
    while let Err((error, back)) = producer.send(record) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error).context("sending a row");
        }
        wait(producer);
        record = back;
    }
    Ok(())
}

/// Takes what reports there are, and waits a millisecond. `poll` itself would spend the time in a
/// busy loop, on a core that the contenders need.
pub(crate) fn wait(producer: &BaseProducer) {
    producer.poll(Duration::ZERO);
    std::thread::sleep(Duration::from_millis(1));
}

/// Waits until every row is acknowledged. None lingers, in spells: while many stand behind their
/// partition's request, librdkafka spends a flush in a busy loop.
pub(crate) fn drain(producer: &BaseProducer) -> anyhow::Result<()> {
    let begun = std::time::Instant::now();
    for look in 0_u32.. {
        if producer.in_flight_count() == 0 {
            break;
        }
        if look.is_multiple_of(5) {
            flush_for_a_moment(producer);
        }
        wait(producer);
        if begun.elapsed() > PATIENCE {
            bail!("rows are not acknowledged after {PATIENCE:?}");
        }
    }
    Ok(())
}

/// rdkafka's own flush lasts no time at all, and librdkafka's threads miss it.
#[expect(unsafe_code, reason = "a function of librdkafka that rdkafka has not")]
fn flush_for_a_moment(producer: &BaseProducer) {
    // SAFETY: the client is there. What is left is seen by who counts.
    let _left = unsafe { rdkafka::bindings::rd_kafka_flush(producer.client().native_ptr(), 1) };
}

/// A reader of all partitions of a topic, outside of any group.
pub(crate) fn reader(client: &Client, topic: &str, from: Offset) -> anyhow::Result<BaseConsumer> {
    let consumer: BaseConsumer = consumer_config(client)
        .set("group.id", "bench-reader") // by name only: nothing is committed or subscribed
        .set("enable.partition.eof", "true")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let at = match from {
            // Asked for now: a reader that begins at the end would look for it later.
            Offset::End => Offset::Offset(consumer.fetch_watermarks(topic, partition, PATIENCE)?.1),
            other => other,
        };
        assignment.add_partition_offset(topic, partition, at)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

/// Hands over every committed row that a topic holds now, each partition in order.
pub(crate) fn read_all(
    client: &Client,
    topic: &str,
    mut row: impl FnMut(&BorrowedMessage<'_>),
) -> anyhow::Result<()> {
    let consumer = reader(client, topic, Offset::Beginning)?;
    let mut open = PARTITIONS;
    while open > 0 {
        let next = consumer.poll(PATIENCE);
        match next.with_context(|| format!("reading {topic}: no answer from the broker"))? {
            Ok(message) => row(&message),
            Err(KafkaError::PartitionEOF(_)) => open -= 1,
            Err(error) => return Err(error).with_context(|| format!("reading {topic}")),
        }
    }
    Ok(())
}

/// How far a group has come in a topic.
pub(crate) struct Progress {
    consumer: BaseConsumer,
    partitions: TopicPartitionList,
}

impl Progress {
    /// Of this group in this topic. A new broker takes a moment to know who looks after the group.
    pub(crate) fn of(client: &Client, group: &str, topic: &str) -> anyhow::Result<Self> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(topic, 0, PARTITIONS - 1);
        let consumer = client
            .config()
            .set("group.id", group)
            // An open transaction must not make the answer wait.
            .set("isolation.level", "read_uncommitted")
            .create()?;
        let progress = Self {
            consumer,
            partitions,
        };
        let answered = wait::within(PATIENCE, || progress.rows().ok());
        answered.with_context(|| format!("the broker does not know the group {group}"))?;
        Ok(progress)
    }

    /// Rows of the topic that the group has committed: read, and everything that follows from them
    /// written. One request.
    pub(crate) fn rows(&self) -> anyhow::Result<u64> {
        let committed = self
            .consumer
            .committed_offsets(self.partitions.clone(), PATIENCE)
            .context("asking how far the group is")?;
        let offsets = committed.elements().into_iter().map(|it| it.offset());
        Ok(offsets
            .map(|offset| match offset {
                Offset::Offset(at) => at.unsigned_abs(),
                _ => 0,
            })
            .sum())
    }
}

/// Deletes all topics but these: what a run has left behind, on a broker that has no other user.
pub(crate) fn drop_topics_but(client: &Client, kept: &[String]) -> anyhow::Result<()> {
    let mut names = client.topics();
    names.retain(|name| !kept.contains(name));
    if names.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> = client.config().create()?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(admin.delete_topics(&names, &options))
        .context("deleting topics")?;
    Ok(())
}
