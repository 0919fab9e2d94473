//! `weir broker`: the embedded broker alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use weir_broker::{Broker, Config, Settings, Storage};

use super::shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen. Clients are told this address.
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "ADDR")]
    listen: SocketAddr,
    /// The folder that holds the data. Without it everything is in memory and gone at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let storage = self.data.map_or(Storage::Memory, Storage::Folder);
        let config = Config {
            listen: self.listen,
            storage,
            settings: Settings::default(),
        };
        tokio::runtime::Runtime::new()?.block_on(async {
            let broker = Broker::start(config).await.context("starting the broker")?;
            tracing::info!("{}", broker.start_line());
            tokio::select! {
                requested = shutdown::requested() => requested?,
                error = broker.failed() => return Err(error).context("the broker has stopped"),
            }
            broker.stop().await.context("stopping the broker")
        })
    }
}
