//! `weir dev`: components of a folder, or the crate in it, on an embedded broker.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;

use super::{build, shutdown};
use crate::config::Config;
use crate::dev;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A folder of components (each NAME.wasm is a service), or a service crate, which is built
    /// again when its source changes.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the broker listens.
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "ADDR")]
    listen: SocketAddr,
    /// Where HTTP listens.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    http: SocketAddr,
    /// A folder that keeps topics and state over restarts. Without it, everything is gone at the
    /// end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let is_crate = self.folder.join("Cargo.toml").is_file();
        let components = match is_crate {
            true => {
                let built = build::build(&self.folder, None)?;
                built
                    .parent()
                    .context("a component lies in a folder")?
                    .to_owned()
            }
            false => self.folder.clone(),
        };
        let temporary = tempfile::tempdir().context("a folder for the state")?;
        let data = self.data.clone();
        let state = data
            .clone()
            .unwrap_or_else(|| temporary.path().to_owned())
            .join("state");
        tokio::runtime::Runtime::new()?.block_on(async {
            let broker = dev::broker(self.listen, data.map(|data| data.join("broker"))).await?;
            let config = Config {
                brokers: broker.bootstrap(),
                http: self.http,
                state,
                components: Some(components),
                ..Config::default()
            };
            let daemon = dev::start(&config).await?;
            let rebuilding = is_crate.then(|| tokio::spawn(rebuild(self.folder)));
            shutdown::requested().await?;
            if let Some(rebuilding) = rebuilding {
                rebuilding.abort();
            }
            daemon.stop().await?;
            Ok(broker.stop().await?)
        })
    }
}

/// Builds the crate again whenever a file of its source has changed. A build that fails says so,
/// and the old version runs on.
async fn rebuild(folder: PathBuf) {
    const LOOK: Duration = Duration::from_millis(300);
    let mut seen = newest(&folder);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = newest(&folder);
        if now == seen {
            continue;
        }
        seen = now;
        let folder = folder.clone();
        match tokio::task::spawn_blocking(move || build::build(&folder, None)).await {
            Ok(Ok(built)) => tracing::info!(component = %built.display(), "built"),
            Ok(Err(error)) => tracing::error!("{error:#}"),
            Err(error) => tracing::error!("{error}"),
        }
    }
}

/// When the crate's source was changed last.
fn newest(folder: &Path) -> Option<SystemTime> {
    fn of(path: &Path) -> Option<SystemTime> {
        let facts = std::fs::metadata(path).ok()?;
        if !facts.is_dir() {
            return facts.modified().ok();
        }
        let entries = std::fs::read_dir(path).ok()?;
        entries.filter_map(|entry| of(&entry.ok()?.path())).max()
    }
    ["src", "Cargo.toml"]
        .iter()
        .filter_map(|part| of(&folder.join(part)))
        .max()
}
