//! The daemon: a host, its HTTP server, and the components that it is given.
//!
//! What is wrong at the start ends the start, with all reasons. What is wrong later (a new version
//! that is refused) is logged, and what ran goes on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{Config, Settings};
use crate::folder::{Change, Folder, INTERVAL};
use crate::http::{self, Server};
use crate::kafka::Settings as KafkaSettings;
use crate::runtime::{Deployed, Host, Options};
use crate::state::MemorySettings;
use crate::wasm::EngineOptions;

/// How long requests under way are waited for at the end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// A running daemon.
pub struct Daemon {
    host: Arc<Host>,
    server: Server,
    watching: Option<JoinHandle<()>>,
}

/// What is done before a component is deployed, e.g. making its topics. Blocks.
pub type Before = Arc<dyn Fn(&str, &Path, &Settings) -> anyhow::Result<()> + Send + Sync>;

/// What is done about components that are refused when the daemon starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The start fails, with all reasons.
    Ends,
    /// They are logged, and tried again when they change.
    IsLogged,
}

impl Daemon {
    /// Starts a host with the components that the configuration names, then serves HTTP: whoever
    /// gets an answer finds all routes.
    pub async fn start(
        config: &Config,
        before: &Before,
        refused: Refused,
    ) -> anyhow::Result<Daemon> {
        let listener = TcpListener::bind(config.http)
            .await
            .with_context(|| format!("HTTP cannot listen on {}", config.http))?;
        let address = listener.local_addr()?;
        let mut kafka = KafkaSettings::new(&config.brokers);
        kafka.properties.clone_from(&config.kafka);
        let options = Options {
            cluster: config.cluster.clone(),
            kafka,
            state: config.state.clone(),
            address: config
                .advertise
                .clone()
                .unwrap_or_else(|| address.to_string()),
            memory: MemorySettings::default(),
            engine: EngineOptions::default(),
        };
        let host = tokio::task::spawn_blocking(move || Host::start(options)).await??;
        if let Err(error) = deploy(&host, config, before).await {
            match refused {
                Refused::IsLogged => tracing::error!("{error:#}"),
                Refused::Ends => {
                    tokio::task::spawn_blocking(move || host.stop()).await?;
                    return Err(error);
                }
            }
        }
        let limits = http::Options {
            max_body_bytes: config.max_body_bytes,
            ..http::Options::default()
        };
        let server = Server::start(listener, Arc::clone(&host), limits)?;
        tracing::info!(http = %address, brokers = config.brokers, "weir runs");
        Ok(Daemon {
            host,
            server,
            watching: None,
        })
    }

    /// Where HTTP listens.
    pub fn http(&self) -> SocketAddr {
        self.server.address()
    }

    /// The host.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Follows the components: a file that changes is deployed, one that is new in the folder
    /// starts, one that is gone from it stops. A refused one is logged, and tried again when its
    /// file changes.
    pub fn follow(&mut self, config: &Config, before: &Before) {
        let (host, config, before) = (Arc::clone(&self.host), config.clone(), Arc::clone(before));
        self.watching = Some(tokio::spawn(follow(host, config, before)));
    }

    /// Stops: no new requests, transactions committed, groups left.
    pub async fn stop(self) -> anyhow::Result<()> {
        if let Some(watching) = self.watching {
            watching.abort();
        }
        let host = Arc::clone(&self.host);
        // Requests that wait are answered by the host's going down, so both at once.
        let stopping = tokio::task::spawn_blocking(move || host.stop());
        self.server.stop(LAST_REQUESTS).await;
        stopping.await?;
        tracing::info!("weir has stopped");
        Ok(())
    }
}

/// Deploys what the configuration names: services with a component, and those of the folder; a few
/// at a time, since compiling and starting takes a processor. Errors: all that are refused.
async fn deploy(host: &Arc<Host>, config: &Config, before: &Before) -> anyhow::Result<()> {
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    let mut waiting = components(config)?.into_iter();
    let mut under_way = JoinSet::new();
    let mut refused = Vec::new();
    loop {
        while under_way.len() < at_once
            && let Some((name, path)) = waiting.next()
        {
            let settings = config.settings_of(&name).clone();
            under_way.spawn(put(
                Arc::clone(host),
                name,
                path,
                settings,
                Arc::clone(before),
            ));
        }
        match under_way.join_next().await {
            None => break,
            Some(done) => refused.extend(done?.err().map(|error| format!("{error:#}"))),
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    refused.sort();
    bail!("{}", refused.join("\n"))
}

/// The components of a configuration, by service.
fn components(config: &Config) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    if let Some(path) = &config.components {
        let looked = Folder::new(path).first_look();
        let looked = looked.with_context(|| format!("the components folder {}", path.display()))?;
        for change in looked {
            if let Change::Put { name, path } = change {
                found.insert(name, path);
            }
        }
    }
    for (name, service) in &config.services {
        match &service.component {
            Some(path) => {
                found.insert(name.clone(), path.clone());
            }
            None if found.contains_key(name) => {}
            None => bail!("services.{name}: there is no {name}.wasm in the components folder"),
        }
    }
    Ok(found)
}

async fn put(
    host: Arc<Host>,
    name: String,
    path: PathBuf,
    settings: Settings,
    before: Before,
) -> anyhow::Result<Deployed> {
    let deployed = tokio::task::spawn_blocking(move || {
        let place = || path.display().to_string();
        before(&name, &path, &settings).with_context(place)?;
        let bytes = std::fs::read(&path).with_context(place)?;
        host.deploy(&name, &bytes, &settings).with_context(place)
    });
    deployed.await?
}

/// Each folder in which components lie is looked at; a service that names its own file counts only
/// as that file.
async fn follow(host: Arc<Host>, config: Config, before: Before) {
    let named: BTreeMap<PathBuf, String> = config
        .services
        .iter()
        .filter_map(|(name, service)| Some((service.component.clone()?, name.clone())))
        .collect();
    let mut folders: Vec<(Folder, bool)> = Vec::new();
    folders.extend(
        config
            .components
            .as_deref()
            .map(|path| (Folder::new(path), true)),
    );
    let parents = named.keys().filter_map(|path| path.parent());
    let others: std::collections::BTreeSet<_> = parents
        .filter(|parent| config.components.as_deref() != Some(*parent))
        .collect();
    folders.extend(others.into_iter().map(|path| (Folder::new(path), false)));
    for (folder, _) in &mut folders {
        let _ = folder.first_look();
    }
    loop {
        tokio::time::sleep(INTERVAL).await;
        for (folder, all) in &mut folders {
            let changes = folder.look().unwrap_or_default();
            for change in changes {
                match change {
                    Change::Put { name, path } => {
                        let name = match named.get(&path) {
                            Some(named) => named.clone(),
                            None if *all => name,
                            None => continue,
                        };
                        let settings = config.settings_of(&name).clone();
                        let host = Arc::clone(&host);
                        match put(host, name.clone(), path, settings, Arc::clone(&before)).await {
                            Ok(Deployed::Unchanged) => {}
                            Ok(deployed) => {
                                tracing::info!(service = name, ?deployed, "component deployed");
                            }
                            Err(error) => {
                                tracing::error!(service = name, "not deployed: {error:#}");
                            }
                        }
                    }
                    Change::Removed { name } if *all => {
                        let host = Arc::clone(&host);
                        let removed = tokio::task::spawn_blocking(move || host.remove(&name)).await;
                        tracing::info!(?removed, "a component is gone from the folder");
                    }
                    Change::Removed { .. } => {}
                }
            }
        }
    }
}
