//! What the operator wants, in two steps: [`file`] is what was typed, [`Config`] is what it means.
//!
//! A file is checked as a whole before anything starts: unknown keys and bad values are named with
//! their line. Options of the command line win over the file.

mod file;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use file::{File, ServiceTable};

/// A whole configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Hosts of one cluster work together; it names their internal topics.
    pub cluster: String,
    /// `host:port`, comma-separated.
    pub brokers: String,
    /// The folder of stores, of the host's id and of compiled components.
    pub state: PathBuf,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Where other hosts reach this one's HTTP, `host:port`; `None`: the address that it listens
    /// on.
    pub advertise: Option<String>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Properties of librdkafka, for every client.
    pub kafka: BTreeMap<String, String>,
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// A folder whose components are services named by their files, looked at again when it
    /// changes.
    pub components: Option<PathBuf>,
    /// For services of the folder without a table of their own.
    pub defaults: Settings,
}

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The Wasm file; `None`: `<name>.wasm` in the folder of components.
    pub component: Option<PathBuf>,
    /// How it runs.
    pub settings: Settings,
}

/// How a service runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Worker threads on this host.
    pub workers: u32,
    /// What becomes of a row that fails.
    pub on_failure: OnFailure,
    /// A transaction is ended at the latest after this time.
    pub commit_interval: Duration,
    /// The least time between two transactions of a worker.
    pub commit_pause: Duration,
    /// How often rows that were read are deleted from repartition topics.
    pub purge_interval: Duration,
    /// How long a task waits for rows of an input that has none on the broker, before it takes rows
    /// of the others; Kafka Streams' `max.task.idle.ms`.
    pub max_idle: Duration,
    /// What the guest's `describe` is told.
    pub config: BTreeMap<String, String>,
    /// A guest's memory, in bytes.
    pub memory_bytes: u64,
    /// How long one call of the guest may take.
    pub call_time: Duration,
    /// How much fuel one call may burn; `None`: not metered.
    pub fuel: Option<u64>,
    /// Rows handed over together, at most.
    pub max_batch_rows: usize,
}

/// What becomes of a row that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It goes to `<service>.dead-letters`, the service goes on.
    #[default]
    DeadLetter,
    /// It is counted and forgotten, the service goes on.
    Skip,
    /// The service stops in front of it.
    Stop,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            workers: 1,
            on_failure: OnFailure::DeadLetter,
            commit_interval: Duration::from_millis(100),
            commit_pause: Duration::from_millis(10),
            purge_interval: Duration::from_secs(30),
            max_idle: Duration::ZERO,
            config: BTreeMap::new(),
            memory_bytes: 64 << 20,
            call_time: Duration::from_secs(2),
            fuel: None,
            max_batch_rows: 1024,
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cluster: "weir".to_owned(),
            brokers: "127.0.0.1:9092".to_owned(),
            state: PathBuf::from("weir-state"),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            advertise: None,
            max_body_bytes: 1 << 20,
            kafka: BTreeMap::new(),
            services: BTreeMap::new(),
            components: None,
            defaults: Settings::default(),
        }
    }
}

/// A configuration that cannot be used; the message says where and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Unreadable {
        /// Of the file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, has an unknown key, or a value of the wrong kind.
    #[error("{path}: {message}")]
    Invalid {
        /// Of the file.
        path: PathBuf,
        /// With line and column, as the TOML reader says it.
        message: String,
    },
    /// A value that means nothing.
    #[error("{key}: {reason}")]
    Meaningless {
        /// Dotted, as in the file.
        key: String,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl Config {
    /// Reads a file. Paths in it are taken from the file's own folder.
    pub fn read(path: &Path) -> Result<Config, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let file: File = toml::from_str(&text).map_err(|error| Error::Invalid {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        file.mean(path.parent().unwrap_or(Path::new(".")))
    }

    /// The settings of the service of this name.
    pub fn settings_of(&self, service: &str) -> &Settings {
        self.services
            .get(service)
            .map_or(&self.defaults, |service| &service.settings)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.toml");
        std::fs::write(&path, text).unwrap();
        let shown = |error: Error| {
            error
                .to_string()
                .replace(&folder.path().display().to_string(), "FOLDER")
        };
        Config::read(&path).map_err(shown)
    }

    #[test]
    fn a_service_takes_the_defaults_and_says_what_differs() {
        let config = read(
            r#"
            brokers = "a:9092,b:9092"
            [defaults]
            commit_interval = "50ms"
            [services.orders]
            component = "orders.wasm"
            workers = 2
            memory = "16MiB"
            config = { checks = "FRAUD_CHECK", validation-timeout = "10m" }
            "#,
        )
        .unwrap();
        let orders = &config.services["orders"];
        assert!(orders.component.as_ref().unwrap().ends_with("orders.wasm"));
        assert_eq!(orders.settings.workers, 2);
        assert_eq!(orders.settings.memory_bytes, 16 << 20);
        assert_eq!(orders.settings.commit_interval, Duration::from_millis(50));
        assert_eq!(orders.settings.config["validation-timeout"], "10m");
        assert_eq!(config.settings_of("another").workers, 1);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = read("brokers = \"a:9092\"\n\n[services.orders]\nworker = 2\n").unwrap_err();
        assert!(error.contains("line 4, column 1"), "{error}");
        assert!(
            error.contains("unknown field `worker`, expected one of"),
            "{error}"
        );
    }

    #[test]
    fn a_value_that_means_nothing_is_named_with_its_key() {
        let error = read("[services.orders]\ncomponent = \"a.wasm\"\nworkers = 0\n").unwrap_err();
        assert_eq!(
            error,
            "services.orders.workers: 0 workers do nothing; give 1 to 64"
        );
        let error = read("[services.\"no/slash\"]\ncomponent = \"a.wasm\"\n").unwrap_err();
        assert!(error.starts_with("services.no/slash: a name"), "{error}");
        let error = read("[services.orders]\nworkers = 1\n").unwrap_err();
        assert!(
            error.starts_with("services.orders.component: missing"),
            "{error}"
        );
    }
}
