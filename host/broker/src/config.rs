//! What can be set about a broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a broker needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 is any free one. Clients are told the address that they came by.
    pub listen: SocketAddr,
    /// Where its data are.
    pub storage: Storage,
    /// Everything else.
    pub settings: Settings,
}

/// Where a broker's data are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory, and gone when it stops.
    Memory,
    /// In this folder, which is made if need be. They survive the process, whatever ends it.
    Folder(PathBuf),
}

/// The settings of a broker, with all its limits. Apache Kafka's name is given where it has one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Partitions of a topic for which nobody said how many (`num.partitions`).
    pub partitions: i32,
    /// Whether a topic comes into being when a client asks for it (`auto.create.topics.enable`).
    pub auto_create: bool,
    /// How long the first member of a group waits for others (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay: Duration,
    /// The shortest session of a group's member (`group.min.session.timeout.ms`).
    pub min_session: Duration,
    /// The longest session of a group's member (`group.max.session.timeout.ms`).
    pub max_session: Duration,
    /// Members of one group (`group.max.size`).
    pub max_group_size: usize,
    /// How long a transaction may be open (`transaction.max.timeout.ms`).
    pub max_transaction: Duration,
    /// How long offsets are kept that nobody uses (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// Bytes of the text that comes with an offset (`offset.metadata.max.bytes`).
    pub max_offset_metadata: usize,
    /// How long an unused transactional id is kept (`transactional.id.expiration.ms`).
    pub transactional_id_expiration: Duration,
    /// How long a partition knows a producer that writes no more (`producer.id.expiration.ms`).
    pub producer_expiration: Duration,
    /// How often groups and transactions are looked at for what is late.
    pub tick: Duration,
    /// How often logs are compacted (`log.cleaner.backoff.ms`). Retention is looked at as often as
    /// its length asks for: between every second and every five minutes.
    pub compaction_interval: Duration,
    /// Bytes of a request (`socket.request.max.bytes`).
    pub max_request_bytes: usize,
    /// Bytes of an answer to a fetch, whatever the client allows (`fetch.max.bytes`).
    pub max_fetch_bytes: usize,
    /// Connections at a time (`max.connections`). One more is closed at once.
    pub max_connections: usize,
    /// Partitions of all topics together.
    pub max_partitions: usize,
    /// Bytes of the newest batches that a broker with a folder keeps in memory, too.
    pub cache_bytes: usize,
    /// Whether a write waits for the disk. Without it data survive the process, but not the power
    /// cut: Apache Kafka's default, too.
    pub fsync: bool,
    /// Waits that a cluster has and one node has not.
    pub delays: Delays,
}

/// Waits that clients meet on a cluster. They are off unless a test asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delays {
    /// How long a new topic's partitions have no leader (Apache Kafka: up to 75 ms).
    pub new_topic: Duration,
    /// How long a transactional id is busy after the end of a transaction (Apache Kafka: 2-9 ms).
    pub end_of_transaction: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            partitions: 4,
            auto_create: true,
            initial_rebalance_delay: Duration::ZERO,
            min_session: Duration::from_millis(500),
            max_session: Duration::from_secs(30 * 60),
            max_group_size: 1000,
            max_transaction: Duration::from_secs(15 * 60),
            offsets_retention: 7 * DAY,
            max_offset_metadata: 4096,
            transactional_id_expiration: 7 * DAY,
            producer_expiration: DAY,
            tick: Duration::from_millis(50),
            compaction_interval: Duration::from_secs(2),
            max_request_bytes: 100 << 20,
            max_fetch_bytes: 55 << 20,
            max_connections: 2000,
            max_partitions: 20_000,
            cache_bytes: 64 << 20,
            fsync: false,
            delays: Delays::default(),
        }
    }
}
