//! Questions to the cluster that belong to no worker: which topics, which offsets.
//!
//! One for each host, shared by all threads. It never takes part in a group and never reads a row.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::AdminClient;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::context::Context;
use super::error::Error;
use super::lanes::Partition;
use super::settings::Settings;

/// A Kafka cluster, as one host knows it.
pub struct Cluster {
    settings: Settings,
    pub(super) admin: AdminClient<Context>,
    pub(super) observer: BaseConsumer<Context>,
}

impl Cluster {
    /// Makes the clients. Brokers that cannot be reached are no error here: questions will say it.
    /// Errors: properties that librdkafka does not know.
    pub fn connect(settings: Settings) -> Result<Arc<Cluster>, Error> {
        for name in settings.ignored() {
            tracing::warn!(
                property = name,
                "ignored: weir sets this property of Kafka clients itself"
            );
        }
        let doing = || format!("connecting to Kafka at {}", settings.brokers);
        let context = Context::default();
        let admin = AdminClient::from_config_and_context(&settings.admin(), context.clone());
        let observer = BaseConsumer::from_config_and_context(&settings.observer(), context);
        Ok(Arc::new(Cluster {
            admin: admin.map_err(|error| Error::of(doing(), &error))?,
            observer: observer.map_err(|error| Error::of(doing(), &error))?,
            settings,
        }))
    }

    /// As they were given.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The offset after the last row of each partition, rows of open transactions included. One
    /// request a broker.
    pub fn ends(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, i64>, Error> {
        offsets(
            &self.observer,
            partitions,
            Offset::End,
            self.settings.request_timeout,
        )
    }

    /// The offset of the first row of each partition that is still there. One request a broker.
    pub fn beginnings(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, i64>, Error> {
        offsets(
            &self.observer,
            partitions,
            Offset::Beginning,
            self.settings.request_timeout,
        )
    }
}

/// Where partitions begin or end for this consumer: a read_committed one is told the end of what is
/// decided.
pub(super) fn offsets(
    consumer: &BaseConsumer<Context>,
    partitions: &[Partition],
    which: Offset,
    timeout: Duration,
) -> Result<BTreeMap<Partition, i64>, Error> {
    const DOING: &str = "asking for offsets";
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        // Asked for by timestamp: -1 and -2 are the protocol's own words for the end and the
        // beginning.
        list.add_partition_offset(&partition.topic, partition.raw(), which)
            .map_err(|error| Error::of(DOING, &error))?;
    }
    let found = consumer
        .offsets_for_times(list, timeout)
        .map_err(|error| Error::of(DOING, &error))?;
    let mut offsets = BTreeMap::new();
    for element in found.elements() {
        let partition = Partition::of_raw(element.topic(), element.partition());
        element
            .error()
            .map_err(|error| Error::of(format!("{DOING} of {partition}"), &error))?;
        match element.offset() {
            Offset::Offset(offset) => offsets.insert(partition, offset),
            _ => {
                return Err(Error::Unreachable {
                    doing: format!("{DOING} of {partition}"),
                    reason: "the broker gave none".to_owned(),
                });
            }
        };
    }
    Ok(offsets)
}

/// Runs an admin request on this thread. librdkafka's own thread completes it, so nothing else has
/// to run meanwhile.
pub(super) fn wait<T>(request: impl Future<Output = T>, timeout: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    let mut request = pin!(request);
    let deadline = Instant::now() + timeout;
    loop {
        if let Poll::Ready(answer) = request.as_mut().poll(&mut context) {
            return Some(answer);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        thread::park_timeout(left);
    }
}
