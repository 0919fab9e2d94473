//! What the threads of a service, and the services of a host, have in common.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use weir_core::task::TaskId;
use weir_core::topology::{Plan, TopicFacts, Topology};

use crate::kafka::Cluster;
use crate::state::{Database, Memory};

use super::blueprint::{Blueprint, Refusal};
use super::letter::Letter;
use super::mailbox::Mailbox;
use super::metrics::Meters;
use super::news::News;
use super::owners::Owners;
use super::ownership::Ownership;
use super::pool::Pool;
use super::status::Status;
use super::watch::Watches;

/// What the services of a host share.
pub(super) struct Environment {
    pub(super) cluster: Arc<Cluster>,
    pub(super) cluster_name: String,
    pub(super) id: String,
    pub(super) state: PathBuf,
    pub(super) memory: Memory,
    pub(super) owners: Arc<Owners>,
    pub(super) news: News,
}

/// Where a service runs.
pub(super) struct Site {
    pub(super) plan: Arc<Plan>,
    pub(super) database: Database,
    /// Of `<service>.dead-letters`.
    pub(super) dead_letters: TopicFacts,
    /// `max.message.bytes` of each internal topic.
    pub(super) internal_bytes: BTreeMap<String, u32>,
    /// The smallest `max.message.bytes` of all topics that are written: brokers refuse whole
    /// batches above it.
    pub(super) batch_bytes: u32,
}

impl Site {
    /// Whether another version of the same shape can do with the topics that were described when
    /// this one started.
    pub(super) fn check_topics(&self, topology: &Topology) -> Result<(), Refusal> {
        let unknown: Vec<&str> = (topology.sink_topics().into_iter())
            .filter(|topic| !self.plan.facts.contains_key(*topic))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Refusal::Component {
            service: topology.service().to_owned(),
            reason: format!(
                "its routes write to {}, which the running version does not; \
                 stop the service and deploy it again",
                unknown.join(", ")
            ),
        })
    }
}

/// What its threads have in common.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) host: Arc<Environment>,
    pub(super) ownership: Ownership,
    pub(super) watches: Arc<Watches>,
    pub(super) pool: Pool,
    pub(super) meters: Meters,
    pub(super) stopping: AtomicBool,
    pub(super) blueprint: RwLock<Arc<Blueprint>>,
    pub(super) state: Mutex<State>,
}

/// What changes while it lives.
#[derive(Default)]
pub(super) struct State {
    pub(super) site: Option<Arc<Site>>,
    pub(super) mailboxes: Vec<Arc<Mailbox<Letter>>>,
    /// Why each worker cannot go on for now.
    pub(super) interrupted: Vec<Option<String>>,
    pub(super) waits_for: Option<String>,
    pub(super) failed: Option<String>,
    pub(super) ended: bool,
}

impl Shared {
    /// The version that runs, or is about to.
    pub(super) fn blueprint(&self) -> Arc<Blueprint> {
        Arc::clone(&self.blueprint.read())
    }

    /// Where it runs; `None`: not known yet.
    pub(super) fn site(&self) -> Option<Arc<Site>> {
        self.state.lock().site.clone()
    }

    /// Where a worker is reached.
    pub(super) fn mailbox(&self, worker: usize) -> Option<Arc<Mailbox<Letter>>> {
        self.state.lock().mailboxes.get(worker).cloned()
    }

    /// What it is doing.
    pub(super) fn status(&self) -> Status {
        let state = self.state.lock();
        if let Some(reason) = &state.failed {
            return Status::Failed(reason.clone());
        }
        if state.ended || self.stopping.load(Ordering::SeqCst) {
            return Status::Stopped;
        }
        if state.site.is_none() {
            return Status::Starting(state.waits_for.clone());
        }
        match state.interrupted.iter().flatten().next() {
            None => Status::Running,
            Some(reason) if reason.is_empty() => Status::Starting(None),
            Some(reason) => Status::Interrupted(reason.clone()),
        }
    }

    /// A worker cannot go on for now, or (`None`) does again.
    pub(super) fn interrupted(&self, worker: usize, reason: Option<String>) {
        let mut state = self.state.lock();
        if let Some(place) = state.interrupted.get_mut(worker) {
            *place = reason;
        }
        let running = state.interrupted.iter().all(Option::is_none);
        drop(state);
        self.meters.running.set(if running { 1.0 } else { 0.0 });
        self.host.news.tell();
    }

    /// A task runs here: other hosts shall know, if anybody may ask for it.
    pub(super) fn claim(&self, task: TaskId) {
        if !self.blueprint().topology.routes().is_empty() {
            self.host.owners.start(&self.host.cluster);
            self.host.owners.claim(&self.name, task);
        }
    }

    /// Sets the gauge of tasks.
    pub(super) fn count_tasks(&self) {
        self.meters.tasks.set(self.ownership.tasks().len() as f64);
    }
}
