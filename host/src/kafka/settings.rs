//! How weir's Kafka clients are set up, and why not as librdkafka sets them up by itself.
//!
//! The operator's `properties` win over everything here but what exactly-once rests on.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// What all clients of a host have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, comma-separated.
    pub brokers: String,
    /// What brokers call this host in their logs and quotas.
    pub client_id: String,
    /// Properties of librdkafka for every client: security, timeouts, sizes.
    pub properties: BTreeMap<String, String>,
    /// How long one request to the brokers is waited for before it counts as
    /// [`super::Error::Unreachable`].
    pub request_timeout: Duration,
    /// How long a worker may be silent before its tasks go to others. A worker that comes back
    /// within it has its tasks again without a rebalance, since members are static.
    pub session_timeout: Duration,
    /// How long a worker may be busy between two polls before its tasks go to others.
    pub max_poll_interval: Duration,
    /// How long a transaction may last, and so how long readers wait for a dead worker's.
    pub transaction_timeout: Duration,
    /// Copies of the topics that weir makes; -1: as the brokers have it.
    pub replication: i32,
}

/// What exactly-once and the worker's loop rest on: not for the operator to change.
const FIXED: [&str; 11] = [
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "partition.assignment.strategy",
    "transactional.id",
    "auto.offset.reset",
];

impl Settings {
    /// The defaults: sessions of 10 s, transactions of 10 s, requests of 10 s, 5 minutes between
    /// polls.
    pub fn new(brokers: impl Into<String>) -> Settings {
        Settings {
            brokers: brokers.into(),
            client_id: "weir".to_owned(),
            properties: BTreeMap::new(),
            request_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(10),
            max_poll_interval: Duration::from_mins(5),
            transaction_timeout: Duration::from_secs(10),
            replication: -1,
        }
    }

    /// The names in `properties` that weir sets itself and so ignores.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        self.properties
            .keys()
            .map(String::as_str)
            .filter(|name| FIXED.contains(name))
    }

    /// `host:port` of each of `brokers`, which librdkafka takes with a protocol before it or
    /// without the port.
    pub(super) fn addresses(&self) -> impl Iterator<Item = String> {
        self.brokers.split(',').map(|broker| {
            let broker = broker.trim();
            let address = broker.rsplit_once("//").map_or(broker, |(_, it)| it);
            match address.rsplit_once(':') {
                Some((_, port)) if port.parse::<u16>().is_ok() => address.to_owned(),
                _ => format!("{address}:9092"),
            }
        })
    }

    fn client(&self, own: &[(&str, String)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("client.id", &self.client_id);
        // A broker that comes back is found within a second, not ten.
        config.set("reconnect.backoff.max.ms", "1000");
        // With Nagle, a commit's small requests wait for acknowledgements of the ones before.
        config.set("socket.nagle.disable", "true");
        config.set("statistics.interval.ms", "0");
        // Histograms of every connection, sent to the brokers: a fifth of an idle host's memory.
        config.set("enable.metrics.push", "false");
        let operator = self
            .properties
            .iter()
            .filter(|(name, _)| !FIXED.contains(&name.as_str()));
        let (fixed, open): (Vec<_>, Vec<_>) =
            own.iter().partition(|(name, _)| FIXED.contains(name));
        for (name, value) in open {
            config.set(*name, value);
        }
        for (name, value) in operator {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        for (name, value) in fixed {
            config.set(*name, value);
        }
        config
    }

    /// Asks for metadata and offsets, sees open transactions' rows as part of a partition's end.
    pub(super) fn observer(&self) -> ClientConfig {
        self.client(&[
            ("isolation.level", "read_uncommitted".to_owned()),
            ("allow.auto.create.topics", "false".to_owned()),
        ])
    }

    /// Makes topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[])
    }

    /// The member that owns tasks. It never fetches, so that `max.poll.interval.ms` alone watches
    /// the worker.
    pub(super) fn membership(&self, group: &str, instance: &str) -> ClientConfig {
        let session = self.session_timeout.as_millis();
        // A member learns of a rebalance by its heartbeat: often enough that a move takes no
        // noticeable time.
        let heartbeat = (session / 3).clamp(1, 500);
        self.client(&[
            ("group.id", group.to_owned()),
            ("group.instance.id", instance.to_owned()),
            (
                "partition.assignment.strategy",
                "cooperative-sticky".to_owned(),
            ),
            ("session.timeout.ms", session.to_string()),
            ("heartbeat.interval.ms", heartbeat.to_string()),
            (
                "max.poll.interval.ms",
                self.max_poll_interval.as_millis().max(session).to_string(),
            ),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("auto.offset.reset", "earliest".to_owned()),
        ])
    }

    /// Reads a group's partitions, which are assigned by hand, as rows come. Partitions that are
    /// added wait until the request for those before is answered: not half a second, as it would
    /// be by default.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        self.by_hand(group, "250")
    }

    /// Reads partitions to their end. That it is reached is known by an answer without rows, which
    /// brokers hold back as long as they may: half a second of it would be most of a restart.
    pub(super) fn reader(&self) -> ClientConfig {
        // librdkafka wants a group's name for any consumer; this one is never used.
        self.by_hand("weir-readers", "20")
    }

    fn by_hand(&self, group: &str, fetch_wait_ms: &str) -> ClientConfig {
        self.client(&[
            ("group.id", group.to_owned()),
            ("isolation.level", "read_committed".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("enable.partition.eof", "true".to_owned()),
            // A position that is gone must be known, not passed over.
            ("auto.offset.reset", "error".to_owned()),
            ("allow.auto.create.topics", "false".to_owned()),
            // Each partition has its own queue, which is filled ahead up to these marks.
            ("queued.min.messages", "20000".to_owned()),
            ("queued.max.messages.kbytes", "8192".to_owned()),
            // By default a full queue makes the fetcher sleep a second.
            ("fetch.queue.backoff.ms", "5".to_owned()),
            ("fetch.wait.max.ms", fetch_wait_ms.to_owned()),
            ("fetch.error.backoff.ms", "100".to_owned()),
        ])
    }

    /// Writes in transactions. `batch_bytes`: the smallest `max.message.bytes` of the topics that
    /// it writes to, since brokers refuse a whole batch above it.
    pub(super) fn producer(&self, transactional_id: &str, batch_bytes: u32) -> ClientConfig {
        let transaction = self.transaction_timeout.as_millis();
        self.client(&[
            ("transactional.id", transactional_id.to_owned()),
            ("transaction.timeout.ms", transaction.to_string()),
            ("batch.size", batch_bytes.clamp(1, 1_000_000).to_string()),
            // What is too large for a topic is found by `refusal` before; one row alone may fill a
            // batch.
            ("message.max.bytes", "1000000000".to_owned()),
            // For a full batch; the flusher lets rows go before, when it is time.
            ("linger.ms", "1000".to_owned()),
            // While a broker still ends the transaction before, it refuses to add offsets to the
            // next one: for a few milliseconds, not for the 100 that are waited by default.
            ("retry.backoff.ms", "10".to_owned()),
            ("queue.buffering.max.messages", "200000".to_owned()),
            ("queue.buffering.max.kbytes", "262144".to_owned()),
        ])
    }

    /// Writes rows one by one, each acknowledged by all copies.
    pub(super) fn publisher(&self) -> ClientConfig {
        self.client(&[
            ("enable.idempotence", "true".to_owned()),
            ("linger.ms", "0".to_owned()),
            (
                "message.timeout.ms",
                self.request_timeout.as_millis().to_string(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_wins_but_for_what_exactly_once_rests_on() {
        let mut settings = Settings::new("broker:9092");
        for (name, value) in [
            ("fetch.queue.backoff.ms", "7"),
            ("isolation.level", "read_uncommitted"),
        ] {
            settings
                .properties
                .insert(name.to_owned(), value.to_owned());
        }
        let config = settings.consumer("group");
        assert_eq!(config.get("fetch.queue.backoff.ms"), Some("7"));
        assert_eq!(config.get("isolation.level"), Some("read_committed"));
        assert_eq!(settings.ignored().collect::<Vec<_>>(), ["isolation.level"]);
    }

    #[test]
    fn brokers_are_written_as_librdkafka_takes_them() {
        let settings = Settings::new("a:1234, PLAINTEXT://b:1234,c,[::1]:1234");
        let addresses: Vec<_> = settings.addresses().collect();
        assert_eq!(addresses, ["a:1234", "b:1234", "c:9092", "[::1]:1234"]);
    }
}
