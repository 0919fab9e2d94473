//! The broker that others start.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::{Config, Storage};
use crate::error::Error;
use crate::state::Shared;
use crate::state::shared::clock;
use crate::{housekeeping, server, storage};

/// A running broker, on the runtime that started it. Dropped, it stops without waiting.
pub struct Broker {
    address: SocketAddr,
    storage: Storage,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker; it answers when this returns. With a folder, everything is there that was
    /// there before.
    ///
    /// # Errors
    /// The address is taken, or the folder is in use or not readable.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let Config {
            listen,
            storage,
            settings,
        } = config;
        let failed = |error: std::io::Error| Error::Listen {
            address: listen,
            reason: error.to_string(),
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let place = storage.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let store = match place {
                Storage::Memory => storage::in_memory(),
                Storage::Folder(folder) => storage::in_folder(&folder, settings.fsync)?,
            };
            let state = storage::recovery::recover(store.as_ref(), clock())?;
            Ok(Shared::new(state, store, settings))
        });
        let shared = Arc::new(opened.await.expect("opening the storage does not panic")?);
        let tasks = vec![
            tokio::spawn(server::run(shared.clone(), listener)),
            tokio::spawn(housekeeping::run(shared.clone())),
        ];
        Ok(Self {
            address,
            storage,
            shared,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `host:port`, for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            let loopback: std::net::IpAddr = if address.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            };
            address.set_ip(loopback);
        }
        address.to_string()
    }

    /// What a person should know when it starts.
    #[must_use]
    pub fn start_line(&self) -> String {
        let data = match &self.storage {
            Storage::Memory => "data in memory, gone when it stops".to_owned(),
            Storage::Folder(folder) => format!("data in {}", folder.display()),
        };
        format!(
            "embedded broker on {}, {data}; it is for development on one machine: \
             no copies, no security",
            self.bootstrap()
        )
    }

    /// Waits until the broker stops by itself, which it does only if its storage fails.
    pub async fn failed(&self) -> Error {
        let mut end = self.shared.end.subscribe();
        loop {
            if let Some(error) = self.shared.failure() {
                return error;
            }
            if end.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Stops it: connections are closed, the storage is let go.
    ///
    /// # Errors
    /// The storage failed while it ran.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.shared.end.send_replace(true);
        for task in self.tasks.drain(..) {
            // A task that panicked is a task that has ended.
            let _ = task.await;
        }
        // Connections hold the state, and it the folder: wait until the last has let go.
        while Arc::strong_count(&self.shared) > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        self.shared.failure().map_or(Ok(()), Err)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shared.end.send_replace(true);
    }
}
