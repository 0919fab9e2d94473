//! `weir demo`: the six order services, orders posted to them, and a table of what became of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::shutdown;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::demo::{self, Plan};
use crate::dev;
use crate::http::Gateway;
use crate::kafka::{Cluster, Settings as KafkaSettings};

/// How long the services may take to come up.
const START: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of the six components; `cargo xtask demo` builds and names it.
    #[arg(long, value_name = "DIR")]
    components: PathBuf,
    /// A Kafka cluster to run on. Default: an embedded broker, in memory.
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// Where HTTP listens.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    http: SocketAddr,
    /// How many orders are posted.
    #[arg(long, default_value_t = 200)]
    orders: usize,
    /// Orders a second.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Stop after the table; the exit status says whether every order was decided as expected.
    #[arg(long)]
    once: bool,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        for service in demo::SERVICES {
            let path = self.components.join(format!("{service}.wasm"));
            if !path.is_file() {
                bail!(
                    "there is no {}; `cargo xtask demo` builds the components",
                    path.display()
                );
            }
        }
        let state = tempfile::tempdir().context("a folder for the state")?;
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let broker = match &self.brokers {
                Some(_) => None,
                None => Some(dev::broker(SocketAddr::from(([127, 0, 0, 1], 0)), None).await?),
            };
            let own = broker.as_ref().map(weir_broker::Broker::bootstrap);
            let brokers = self
                .brokers
                .clone()
                .or(own)
                .context("one of the two is there")?;
            let config = Config {
                cluster: "demo".to_owned(),
                brokers: brokers.clone(),
                http: self.http,
                state: state.path().to_owned(),
                components: Some(self.components.clone()),
                ..Config::default()
            };
            let as_expected = self.show(&config).await?;
            if let Some(broker) = broker {
                broker.stop().await?;
            }
            if !as_expected {
                bail!("not every order was decided as expected");
            }
            Ok(())
        })
    }

    async fn show(&self, config: &Config) -> anyhow::Result<bool> {
        let plan = Plan {
            orders: self.orders,
            rate: self.rate,
            patience: Duration::from_secs(20),
        };
        let cluster = Cluster::connect(KafkaSettings::new(&config.brokers))?;
        let (preparing, prepared) = (Arc::clone(&cluster), plan.clone());
        tokio::task::spawn_blocking(move || demo::prepare(&preparing, &prepared)).await??;
        let daemon = dev::start(config).await?;
        ready(&daemon).await?;
        let load = format!(
            "posting {} orders, {} a second, to http://{}/v1/orders\n\n",
            self.orders,
            self.rate,
            daemon.http()
        );
        super::print(&load)?;
        let (table, as_expected) = demo::run(cluster, daemon.http(), plan).await?;
        super::print(&table)?;
        if !self.once {
            let http = daemon.http();
            super::print(&format!(
                "\nStill up. Try:\n  curl -i -d '{{\"customerId\": 1, \"product\": \"JUMPERS\", \
                 \"quantity\": 1, \"price\": 10}}' \
                 http://{http}/v1/orders\n  curl http://{http}/metrics\n\
                 Kafka listens on {}. Ctrl-C ends it.\n",
                config.brokers
            ))?;
            shutdown::requested().await?;
        }
        daemon.stop().await?;
        Ok(as_expected)
    }
}

/// Waits until all services run.
async fn ready(daemon: &Daemon) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + START;
    loop {
        let readiness = daemon.host().readiness();
        if readiness.ready {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            bail!("the services do not come up: {:?}", readiness.report);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
