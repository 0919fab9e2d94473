//! The bare loop: consume, produce, commit, in transactions. Nothing that a host of streams adds
//! can make this faster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use weir_tests::Client;

use crate::kafka::{consumer_config, drain, producer_config, send};

/// How long the broker may take to end a transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// A passthrough, exactly once, until the process is told to end.
#[derive(clap::Args)]
pub(crate) struct BareLoop {
    #[arg(long)]
    bootstrap: String,
    #[arg(long)]
    id: String,
    #[arg(long = "in")]
    input: String,
    #[arg(long = "out")]
    output: String,
    #[arg(long)]
    commit_ms: u64,
}

impl BareLoop {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let client = Client::new(&self.bootstrap);
        let consumer: BaseConsumer = consumer_config(&client)
            .set("group.id", &self.id)
            .create()?;
        let producer: BaseProducer = producer_config(&client)
            .set("transactional.id", format!("{}-0", self.id))
            // What has waited for longer costs a busy loop of librdkafka: full batches, or none.
            .set("linger.ms", "1000")
            .create()?;
        producer.init_transactions(PATIENCE)?;
        consumer.subscribe(&[&self.input])?;

        let mut positions = BTreeMap::new();
        let mut due = Instant::now();
        let mut rows = 0_u64;
        loop {
            // The clock is not free: not for each row.
            if rows.is_multiple_of(64) && !positions.is_empty() && Instant::now() >= due {
                self.commit(&consumer, &producer, &mut positions)?;
            }
            let Some(message) = consumer.poll(Duration::from_millis(5)) else {
                if !positions.is_empty() {
                    self.commit(&consumer, &producer, &mut positions)?;
                }
                continue;
            };
            let message = message.context("reading")?;
            if positions.is_empty() {
                due = Instant::now() + Duration::from_millis(self.commit_ms);
                producer.begin_transaction()?;
            }
            let mut record = BaseRecord::to(&self.output)
                .key(message.key().unwrap_or_default())
                .payload(message.payload().unwrap_or_default());
            record.timestamp = message.timestamp().to_millis();
            send(&producer, record)?;
            positions.insert(message.partition(), message.offset() + 1);
            rows += 1;
        }
    }

    fn commit(
        &self,
        consumer: &BaseConsumer,
        producer: &BaseProducer,
        positions: &mut BTreeMap<i32, i64>,
    ) -> anyhow::Result<()> {
        let mut offsets = TopicPartitionList::new();
        while let Some((partition, offset)) = positions.pop_first() {
            offsets.add_partition_offset(&self.input, partition, Offset::Offset(offset))?;
        }
        drain(producer)?;
        let group = consumer.group_metadata().context("no group yet")?;
        producer.send_offsets_to_transaction(&offsets, &group, PATIENCE)?;
        producer.commit_transaction(PATIENCE)?;
        Ok(())
    }
}
