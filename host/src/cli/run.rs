//! `weir run`: the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::shutdown;
use crate::config::Config;
use crate::daemon::{Before, Daemon, Refused};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A configuration file; the other options win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka's brokers, comma-separated. [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// The folder of stores, of the host's id and of compiled components. [default: weir-state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where HTTP listens. [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where other hosts reach this one's HTTP. [default: where it listens]
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// A folder of components: each NAME.wasm is the service NAME, and is swapped when it changes.
    #[arg(long, value_name = "DIR")]
    components: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.config()?;
        let before: Before = Arc::new(|_, _, _| Ok(()));
        tokio::runtime::Runtime::new()?.block_on(async {
            let mut daemon = Daemon::start(&config, &before, Refused::Ends).await?;
            daemon.follow(&config, &before);
            shutdown::requested().await?;
            daemon.stop().await
        })
    }

    fn config(self) -> anyhow::Result<Config> {
        let mut config = self
            .config
            .as_deref()
            .map_or_else(|| Ok(Config::default()), Config::read)?;
        let Arguments {
            brokers,
            state,
            http,
            advertise,
            components,
            ..
        } = self;
        config.brokers = brokers.unwrap_or(config.brokers);
        config.state = state.unwrap_or(config.state);
        config.http = http.unwrap_or(config.http);
        config.advertise = advertise.or(config.advertise);
        config.components = components.or(config.components);
        if config.components.is_none() && config.services.is_empty() {
            anyhow::bail!("nothing to run: give --components DIR, or services in --config FILE");
        }
        Ok(config)
    }
}
