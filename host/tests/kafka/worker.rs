//! What the stories of this folder are told with: clusters, names, rows, and a worker in its barest
//! form.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_core::record::Batch;
use weir_core::task::Position;
use weir_host::kafka::{
    Cleanup, Cluster, Event, Membership, Partition, Partitioning, Producer, Rows, Settings, Source,
    Topic, Wake,
};
use weir_tests::broker;

/// Nobody sleeps in these tests.
pub(crate) fn no_wake() -> Wake {
    Arc::new(|| {})
}

/// The shared broker, with sessions short enough for tests.
pub(crate) fn cluster() -> Arc<Cluster> {
    Cluster::connect(settings()).expect("settings that librdkafka knows")
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new(broker::shared().bootstrap());
    settings.session_timeout = Duration::from_secs(3);
    settings.replication = 1;
    settings
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{name}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Makes a topic that keeps everything.
pub(crate) fn topic(cluster: &Cluster, name: &str, partitions: u32) -> String {
    let name = unique(name);
    let topic = Topic {
        name: name.clone(),
        partitions,
        cleanup: Cleanup::Never,
        grows: false,
    };
    cluster.ensure(&[topic]).expect("a new topic");
    name
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("it is before 292278994")
}

/// Rows with these values, each its own key.
pub(crate) fn rows(values: &[&str]) -> Batch {
    let mut rows = Batch::default();
    values
        .iter()
        .for_each(|value| rows.push(Some(value.as_bytes()), Some(value.as_bytes()), now()));
    rows
}

pub(crate) fn values(rows: &[Rows]) -> Vec<String> {
    let all = rows.iter().flat_map(|rows| rows.rows.values.iter());
    all.map(|value| String::from_utf8_lossy(value.unwrap_or(b"null")).into_owned())
        .collect()
}

/// Commits rows to a topic's partition in a transaction of their own; no positions.
pub(crate) fn write(cluster: &Cluster, topic: &str, partition: u32, values: &[&str]) {
    let mut worker = Worker::join(cluster, &unique("writer"), "writer", 1);
    worker.own(1);
    worker.producer.begin().expect("a transaction");
    worker
        .producer
        .produce(topic, rows(values), Partitioning::One(partition))
        .expect("room in the queue");
    worker.commit(&[]).expect("nobody else is there");
}

/// Polls until `enough` of the values that came; panics after 20 s.
pub(crate) fn read(
    mut poll: impl FnMut(&mut Vec<Rows>) -> bool,
    mut enough: impl FnMut(&[Rows]) -> bool,
) -> Vec<Rows> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while !enough(&all) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "waited in vain; so far {:?}",
            values(&all)
        );
        let _more = poll(&mut all);
        std::thread::sleep(Duration::from_millis(2));
    }
    all
}

/// A worker: what owns tasks, and what writes.
pub(crate) struct Worker {
    pub(crate) membership: Membership,
    pub(crate) producer: Producer,
}

impl Worker {
    /// Joins the group of a service with this many tasks.
    pub(crate) fn join(cluster: &Cluster, service: &str, instance: &str, tasks: u32) -> Worker {
        cluster
            .ensure(&[Topic::tasks(service, tasks)])
            .expect("the tasks topic");
        let membership =
            Membership::join(cluster, service, instance, no_wake()).expect("a group to join");
        let producer = Producer::open(cluster, &format!("{service}-{instance}"), 1_000_000);
        Worker {
            membership,
            producer: producer.expect("brokers that answer"),
        }
    }

    /// Polls once and follows what changed.
    pub(crate) fn poll(&mut self) -> Option<Event> {
        let event = self.membership.poll().expect("a membership that works");
        if event.is_some() {
            self.membership
                .acknowledge()
                .expect("an event that is still current");
        }
        event
    }

    /// Polls until it owns this many tasks.
    pub(crate) fn own(&mut self, tasks: usize) -> BTreeSet<u32> {
        until(&format!("{tasks} tasks"), || {
            self.poll();
            self.membership.tasks().len() == tasks
        });
        self.membership.tasks().clone()
    }

    pub(crate) fn commit(
        &mut self,
        positions: &[(Position, String)],
    ) -> Result<weir_host::kafka::Ends, weir_host::kafka::Error> {
        let group = self.membership.group_metadata().expect("a member");
        self.producer.commit(positions, &group)
    }
}

/// Asks every 2 ms; panics after 30 s.
pub(crate) fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A source that reads nothing yet.
pub(crate) fn source(cluster: &Arc<Cluster>, group: &str) -> Source {
    Source::open(cluster, group, no_wake()).expect("settings that librdkafka knows")
}

/// One partition of a topic, from an offset.
pub(crate) fn at(topic: &str, partition: u32, offset: i64) -> Position {
    Partition::new(topic, partition).at(offset)
}
