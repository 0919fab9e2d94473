//! `weir dev`: a broker in this process, and every component of a folder on it, again whenever one
//! changes.
//!
//! Topics that a service names and that are not there are made, so that nothing has to be set up
//! before the first row.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use weir_broker::{Broker, Settings as BrokerSettings, Storage};

use crate::config::{Config, Settings};
use crate::daemon::{Before, Daemon, Refused};
use crate::inspect;
use crate::kafka::{Cleanup, Cluster, Settings as KafkaSettings, Topic};

/// Partitions of the topics that are made.
pub const PARTITIONS: u32 = 4;

/// Starts the embedded broker, in memory or in a folder.
pub async fn broker(listen: SocketAddr, data: Option<PathBuf>) -> anyhow::Result<Broker> {
    let storage = data.map_or(Storage::Memory, Storage::Folder);
    let config = weir_broker::Config {
        listen,
        storage,
        settings: BrokerSettings::default(),
    };
    let broker = Broker::start(config)
        .await
        .context("starting the embedded broker")?;
    tracing::info!("{}", broker.start_line());
    Ok(broker)
}

/// Makes the topics that a component names and that are not there, before it is deployed.
pub fn topics_made(brokers: &str) -> anyhow::Result<Before> {
    let cluster = Cluster::connect(KafkaSettings::new(brokers))?;
    Ok(Arc::new(move |name, path, settings| {
        make_topics(&cluster, name, path, settings)
    }))
}

fn make_topics(
    cluster: &Cluster,
    name: &str,
    path: &Path,
    settings: &Settings,
) -> anyhow::Result<()> {
    let (_, topology) = inspect::load(path, name, &settings.config)?;
    let (reads, whole) = (topology.source_topics(), topology.global_topics());
    let writes = topology.sink_topics();
    let there = cluster.partitions()?;
    let mut missing: Vec<Topic> = Vec::new();
    for topic in reads.into_iter().chain(whole).chain(writes) {
        if !there.contains_key(topic) && !missing.iter().any(|made| made.name == topic) {
            tracing::info!(topic, partitions = PARTITIONS, "made: it was not there");
            missing.push(Topic {
                name: topic.to_owned(),
                partitions: PARTITIONS,
                cleanup: Cleanup::Default,
                grows: false,
            });
        }
    }
    Ok(cluster.ensure(&missing)?)
}

/// Starts a daemon on these components; a refused one is logged, and tried again when it changes.
pub async fn start(config: &Config) -> anyhow::Result<Daemon> {
    let brokers = config.brokers.clone();
    let before = tokio::task::spawn_blocking(move || topics_made(&brokers)).await??;
    let mut daemon = Daemon::start(config, &before, Refused::IsLogged).await?;
    daemon.follow(config, &before);
    Ok(daemon)
}
