//! A host: one weir process, or one of several in a test. It has the services, and what they share.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::Settings;
use crate::http::{Answer, Gateway, Readiness, Route};
use crate::kafka::{self, Cluster, Presence};
use crate::state::{Memory, MemorySettings};
use crate::wasm::{self, Engine, EngineOptions};

use super::blueprint::{Blueprint, Refusal};
use super::identity;
use super::metrics;
use super::news::News;
use super::owners::Owners;
use super::program::Program;
use super::service::Service;
use super::shared::Environment;
use super::status::Status;
use super::wasm_program::WasmProgram;

/// How often the brokers are looked for, so that readiness tells the truth while nothing flows.
const PULSE: Duration = Duration::from_secs(1);

/// What a host is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts of one name and one Kafka cluster work together.
    pub cluster: String,
    /// How the brokers are reached.
    pub kafka: kafka::Settings,
    /// The folder of the host's id, of stores, and of compiled components. No other host may use
    /// it.
    pub state: PathBuf,
    /// Where other hosts reach this one's HTTP, `host:port`.
    pub address: String,
    /// Of all databases together.
    pub memory: MemorySettings,
    /// Of the Wasm engine; where compiled components are kept is set by the host.
    pub engine: EngineOptions,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the state folder.
    #[error(
        "the state folder {} is used by another weir process; \
         stop that one, or give this one its own with --state",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("the state folder {} cannot be used", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The properties of Kafka clients make no sense.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// No Wasm on this machine.
    #[error("{0}")]
    Engine(String),
}

/// What came of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployed {
    /// The service was not there, or was down, and starts.
    Started,
    /// The version took the place of another one that runs, without a stop.
    Swapped,
    /// It is the version that runs already, with the same settings.
    Unchanged,
}

/// A host.
pub struct Host {
    environment: Arc<Environment>,
    engine: Engine,
    services: Mutex<BTreeMap<String, Arc<Service>>>,
    /// One deployment at a time.
    deploying: Mutex<()>,
    routes: Mutex<Arc<[Route]>>,
    pulse: Arc<Pulse>,
    /// Locked as long as the host lives.
    _lock: File,
}

/// Whether the brokers answer.
#[derive(Default)]
struct Pulse {
    trouble: Mutex<Option<String>>,
    felt: AtomicBool,
    stopping: AtomicBool,
}

impl Host {
    /// Starts a host without services. Brokers that cannot be reached are no error: it waits for
    /// them.
    pub fn start(options: Options) -> Result<Arc<Host>, StartError> {
        let state = |source| StartError::State {
            folder: options.state.clone(),
            source,
        };
        let id = identity::host_id(&options.state).map_err(state)?;
        let lock = File::create(options.state.join("lock")).map_err(state)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => StartError::InUse {
                folder: options.state.clone(),
            },
            std::fs::TryLockError::Error(source) => state(source),
        })?;
        let cache = Some(options.state.join("compiled"));
        let engine = Engine::new(&EngineOptions {
            cache,
            ..options.engine.clone()
        });
        let news = News::new();
        let environment = Environment {
            cluster: Cluster::connect(options.kafka.clone())?,
            owners: Arc::new(Owners::new(
                &options.cluster,
                &options.address,
                news.clone(),
            )),
            cluster_name: options.cluster,
            id,
            state: options.state.clone(),
            memory: Memory::new(options.memory),
            news,
        };
        let _recorder = metrics::recorder();
        let pulse = Arc::new(Pulse::default());
        let beating = Arc::clone(&pulse);
        let brokers = Presence::of(Arc::clone(&environment.cluster));
        let thread = std::thread::Builder::new().name("pulse".to_owned());
        thread.spawn(move || beating.beat(brokers)).map_err(state)?;
        Ok(Arc::new(Host {
            environment: Arc::new(environment),
            engine: engine.map_err(|error| StartError::Engine(error.to_string()))?,
            services: Mutex::default(),
            deploying: Mutex::new(()),
            routes: Mutex::new(Arc::new([])),
            pulse,
            _lock: lock,
        }))
    }

    /// Deploys a component: starts the service, or, where it runs, lets this version take the place
    /// of the one that runs. Blocks for as long as it takes to compile and to swap; Kafka is waited
    /// for elsewhere, see [`Host::statuses`]. Errors: nothing has changed.
    pub fn deploy(
        &self,
        service: &str,
        component: &[u8],
        settings: &Settings,
    ) -> Result<Deployed, Refusal> {
        let loaded = WasmProgram::load(&self.engine, service, component, settings);
        let program = loaded.map_err(|error: wasm::LoadError| Refusal::Component {
            service: service.to_owned(),
            reason: error.to_string(),
        })?;
        self.deploy_program(service, program, settings)
    }

    /// The same for a program that is no component.
    pub fn deploy_program(
        &self,
        service: &str,
        program: Arc<dyn Program>,
        settings: &Settings,
    ) -> Result<Deployed, Refusal> {
        let blueprint = Blueprint::of(service, program, settings)?;
        let _one_at_a_time = self.deploying.lock();
        if self.pulse.stopping.load(Ordering::SeqCst) {
            return Err(Refusal::Stopping);
        }
        let there = self.services.lock().get(service).cloned();
        let deployed = match there {
            Some(running) if !running.is_down() => {
                let old = running.shared.blueprint();
                if old.program.digest() == blueprint.program.digest()
                    && old.settings == blueprint.settings
                {
                    return Ok(Deployed::Unchanged);
                }
                running.swap(blueprint)?;
                Deployed::Swapped
            }
            down => {
                if let Some(down) = down {
                    down.begin_stop();
                    down.finish_stop();
                }
                let version = blueprint.program.digest();
                let started = Service::start(service, blueprint, &self.environment);
                let started = started.map_err(|error| Refusal::Component {
                    service: service.to_owned(),
                    reason: format!("no thread to run it: {error}"),
                })?;
                tracing::info!(service, version, "service starts");
                self.services
                    .lock()
                    .insert(service.to_owned(), Arc::new(started));
                Deployed::Started
            }
        };
        self.publish_routes();
        Ok(deployed)
    }

    /// Stops a service and forgets it; its state stays. Blocks until it has stopped. Whether it was
    /// there.
    pub fn remove(&self, service: &str) -> bool {
        let _one_at_a_time = self.deploying.lock();
        let Some(service) = self.services.lock().remove(service) else {
            return false;
        };
        service.begin_stop();
        service.finish_stop();
        self.publish_routes();
        true
    }

    /// What each service is doing, by name.
    pub fn statuses(&self) -> BTreeMap<String, Status> {
        let services = self.services.lock();
        services
            .iter()
            .map(|(name, service)| (name.clone(), service.shared.status()))
            .collect()
    }

    /// The tasks that each service runs here.
    pub fn tasks(&self) -> BTreeMap<String, Vec<String>> {
        let shown = |service: &Arc<Service>| {
            service
                .shared
                .ownership
                .tasks()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        self.services
            .lock()
            .iter()
            .map(|(name, service)| (name.clone(), shown(service)))
            .collect()
    }

    /// Stops all services: their transactions are committed, their clients closed. Blocks until it
    /// is done. Stopped once, a host stays so.
    pub fn stop(&self) {
        self.pulse.stopping.store(true, Ordering::SeqCst);
        let _one_at_a_time = self.deploying.lock();
        let services: Vec<_> = self.services.lock().values().cloned().collect();
        services.iter().for_each(|service| service.begin_stop());
        services.iter().for_each(|service| service.finish_stop());
        self.environment.owners.stop();
    }

    fn publish_routes(&self) {
        let services = self.services.lock();
        let of = |(name, service): (&String, &Arc<Service>)| {
            let blueprint = service.shared.blueprint();
            let route = |(route, spec): (usize, &weir_core::topology::Route)| Route {
                service: name.clone(),
                route,
                method: spec.method.clone(),
                path: spec.path.clone(),
            };
            blueprint
                .topology
                .routes()
                .iter()
                .enumerate()
                .map(route)
                .collect::<Vec<_>>()
        };
        *self.routes.lock() = services.iter().flat_map(of).collect();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Pulse {
    fn beat(&self, mut brokers: Presence) {
        while !self.stopping.load(Ordering::SeqCst) {
            let trouble = brokers.look().err();
            let mut known = self.trouble.lock();
            match (&*known, &trouble) {
                (None, Some(reason)) => tracing::warn!(reason, "brokers are lost"),
                (Some(_), None) => tracing::info!("brokers are back"),
                _ => {}
            }
            *known = trouble;
            drop(known);
            self.felt.store(true, Ordering::SeqCst);
            std::thread::sleep(PULSE);
        }
    }
}

impl Gateway for Host {
    fn routes(&self) -> Arc<[Route]> {
        Arc::clone(&self.routes.lock())
    }

    async fn ask(
        &self,
        route: &Route,
        request: weir_core::functions::Request,
        deadline: std::time::Instant,
    ) -> Answer {
        let service = self
            .services
            .lock()
            .get(&route.service)
            .map(|service| Arc::clone(&service.shared));
        match service {
            Some(shared) => shared.ask(route.route, request, deadline).await,
            None => Answer::Unavailable(format!("service `{}` is not deployed", route.service)),
        }
    }

    fn readiness(&self) -> Readiness {
        let trouble = self.pulse.trouble.lock().clone();
        let brokers = match trouble {
            Some(trouble) => trouble,
            None if self.pulse.felt.load(Ordering::SeqCst) => "reachable".to_owned(),
            None => "not asked yet".to_owned(),
        };
        let statuses = self.statuses();
        let ready = brokers == "reachable" && statuses.values().all(Status::is_running);
        let mut report = vec![("brokers".to_owned(), brokers)];
        report.extend(
            statuses
                .into_iter()
                .map(|(name, status)| (format!("service {name}"), status.to_string())),
        );
        Readiness { ready, report }
    }

    fn metrics(&self) -> String {
        metrics::render()
    }
}
