//! `weir.toml` as it is typed: every key optional, unknown ones refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::{Config, Error, OnFailure, Service, Settings};

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    cluster: Option<String>,
    brokers: Option<String>,
    state: Option<PathBuf>,
    http: Option<SocketAddr>,
    advertise: Option<String>,
    max_body: Option<ByteSize>,
    components: Option<PathBuf>,
    #[serde(default)]
    kafka: BTreeMap<String, String>,
    #[serde(default)]
    defaults: SettingsTable,
    #[serde(default)]
    services: BTreeMap<String, ServiceTable>,
}

/// The table `[services.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTable {
    component: Option<PathBuf>,
    workers: Option<u32>,
    on_failure: Option<OnFailure>,
    #[serde(default, with = "humantime_serde")]
    commit_interval: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    commit_pause: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    purge_interval: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    max_idle: Option<Duration>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    memory: Option<ByteSize>,
    #[serde(default, with = "humantime_serde")]
    call_time: Option<Duration>,
    fuel: Option<u64>,
    max_batch_rows: Option<usize>,
}

/// The table `[defaults]`: the same without `component`.
type SettingsTable = ServiceTable;

impl File {
    /// What it means, paths taken from `folder`.
    pub fn mean(self, folder: &Path) -> Result<Config, Error> {
        let default = Config::default();
        if self.defaults.component.is_some() {
            return Err(meaningless(
                "defaults.component",
                "a component belongs to one service",
            ));
        }
        let defaults = self.defaults.settings("defaults", &default.defaults)?;
        let mut services = BTreeMap::new();
        for (name, table) in self.services {
            let key = format!("services.{name}");
            check_name(&key, &name)?;
            if table.component.is_none() && self.components.is_none() {
                let reason = "missing: name the Wasm file, or a folder in `components`";
                return Err(meaningless(&format!("{key}.component"), reason));
            }
            let component = table.component.as_ref().map(|path| folder.join(path));
            let settings = table.settings(&key, &defaults)?;
            services.insert(
                name,
                Service {
                    component,
                    settings,
                },
            );
        }
        let cluster = self.cluster.unwrap_or(default.cluster);
        check_name("cluster", &cluster)?;
        Ok(Config {
            cluster,
            brokers: self.brokers.unwrap_or(default.brokers),
            state: folder.join(self.state.unwrap_or(default.state)),
            http: self.http.unwrap_or(default.http),
            advertise: self.advertise,
            max_body_bytes: self
                .max_body
                .map_or(default.max_body_bytes, |size| size.0 as usize),
            kafka: self.kafka,
            services,
            components: self.components.map(|path| folder.join(path)),
            defaults,
        })
    }
}

impl ServiceTable {
    fn settings(&self, key: &str, defaults: &Settings) -> Result<Settings, Error> {
        let defaults = defaults.clone();
        let mut config = defaults.config;
        config.extend(self.config.clone());
        let settings = Settings {
            workers: self.workers.unwrap_or(defaults.workers),
            on_failure: self.on_failure.unwrap_or(defaults.on_failure),
            commit_interval: self.commit_interval.unwrap_or(defaults.commit_interval),
            commit_pause: self.commit_pause.unwrap_or(defaults.commit_pause),
            purge_interval: self.purge_interval.unwrap_or(defaults.purge_interval),
            max_idle: self.max_idle.unwrap_or(defaults.max_idle),
            config,
            memory_bytes: self.memory.map_or(defaults.memory_bytes, |size| size.0),
            call_time: self.call_time.unwrap_or(defaults.call_time),
            fuel: self.fuel.or(defaults.fuel),
            max_batch_rows: self.max_batch_rows.unwrap_or(defaults.max_batch_rows),
        };
        let within = |name: &str, fits: bool, reason: &str| match fits {
            true => Ok(()),
            false => Err(meaningless(&format!("{key}.{name}"), reason)),
        };
        let workers = format!("{} workers do nothing; give 1 to 64", settings.workers);
        within("workers", (1..=64).contains(&settings.workers), &workers)?;
        let memory = "a guest needs 1MiB at least, and can have 4GiB at most";
        within(
            "memory",
            (1 << 20..=4 << 30).contains(&settings.memory_bytes),
            memory,
        )?;
        within(
            "call_time",
            !settings.call_time.is_zero(),
            "a call needs some time, e.g. \"2s\"",
        )?;
        let interval = settings.commit_interval;
        let fits = !interval.is_zero() && interval <= Duration::from_secs(5);
        within(
            "commit_interval",
            fits,
            "give 1ms to 5s; a transaction lives 10s at most",
        )?;
        let fits = settings.purge_interval >= Duration::from_millis(100);
        within("purge_interval", fits, "give 100ms at least, e.g. \"30s\"")?;
        let fits = (1..=65_536).contains(&settings.max_batch_rows);
        within("max_batch_rows", fits, "give 1 to 65536 rows")?;
        Ok(settings)
    }
}

/// Service and cluster names become names of topics, groups and folders.
fn check_name(key: &str, name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if (1..=100).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.') {
        return Ok(());
    }
    Err(meaningless(
        key,
        "a name has 1 to 100 of the characters a-z, A-Z, 0-9, '-', '_', '.'",
    ))
}

fn meaningless(key: &str, reason: &str) -> Error {
    Error::Meaningless {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}
