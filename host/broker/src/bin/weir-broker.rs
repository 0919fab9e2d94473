//! The embedded broker alone: `weir-broker [--listen 127.0.0.1:9092] [--data DIR]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use weir_broker::{Broker, Config, Settings, Storage};

const USAGE: &str = "usage: weir-broker [--listen ADDRESS] [--data DIR]";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (listen, storage) = arguments()?;
    let config = Config {
        listen,
        storage,
        settings: Settings::default(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let broker = Broker::start(config).await.context("starting the broker")?;
    eprintln!("{}", broker.start_line());
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        error = broker.failed() => return Err(error.into()),
    }
    broker.stop().await.context("stopping the broker")
}

fn arguments() -> anyhow::Result<(SocketAddr, Storage)> {
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 9092));
    let mut storage = Storage::Memory;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("{name} has no value; {USAGE}"))?;
        match name.as_str() {
            "--listen" => {
                listen = value
                    .parse()
                    .with_context(|| format!("`{value}` is no address; try 127.0.0.1:9092"))?;
            }
            "--data" => storage = Storage::Folder(PathBuf::from(value)),
            other => bail!("there is no option `{other}`; {USAGE}"),
        }
    }
    Ok((listen, storage))
}
