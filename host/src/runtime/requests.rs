//! Requests: from a key to the task that has it, here or elsewhere, and back with an answer.
//!
//! A command goes into the mailbox of the worker that runs the task; a query is asked of an
//! instance of the pool, again and again as what it has read changes. While a task is on the move,
//! both wait within their time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use weir_core::functions::{Failure, FunctionId, Request, Response};
use weir_core::partitioner;
use weir_core::task::TaskId;
use weir_core::topology::description::{RouteKey, RouteKind};

use crate::http::Answer;

use super::blueprint::Blueprint;
use super::letter::{Asked, Letter, Reply};
use super::pool::Seen;
use super::program::{Guest, Moment};
use super::shared::{Shared, Site};
use super::status::Status;
use super::watch::Watcher;

/// What one try came to.
enum Try {
    Done(Answer),
    /// The task is not here (any more), or is just coming.
    NotHere,
}

impl Shared {
    /// Asks route number `route`, and waits for the answer until `deadline`.
    pub(super) async fn ask(
        self: Arc<Shared>,
        route: usize,
        request: Request,
        deadline: Instant,
    ) -> Answer {
        loop {
            let mut news = self.host.news.listen();
            if self.stopping.load(Ordering::SeqCst) {
                return Answer::Unavailable(format!("service `{}`: {}", self.name, self.status()));
            }
            let blueprint = self.blueprint();
            if route >= blueprint.topology.routes().len() {
                return Answer::Unavailable(
                    "the route is gone: a new version took over".to_owned(),
                );
            }
            if let Some(site) = self.site() {
                match self
                    .try_once(&site, &blueprint, route, &request, deadline)
                    .await
                {
                    Try::Done(answer) => return answer,
                    Try::NotHere => {}
                }
            } else if let Status::Failed(reason) = self.status() {
                return Answer::Unavailable(format!("service `{}`: {reason}", self.name));
            }
            if timeout_at(deadline.into(), news.heard()).await.is_err() {
                let why = match self.status() {
                    Status::Running => "its task is on the move".to_owned(),
                    status => status.to_string(),
                };
                return Answer::Unavailable(format!("service `{}`: {why}", self.name));
            }
        }
    }

    async fn try_once(
        self: &Arc<Shared>,
        site: &Arc<Site>,
        blueprint: &Arc<Blueprint>,
        route: usize,
        request: &Request,
        deadline: Instant,
    ) -> Try {
        let spec = &blueprint.topology.routes()[route];
        let key = match self.key(blueprint, &spec.key, request).await {
            Ok(key) => key,
            Err(answer) => return Try::Done(answer),
        };
        let Some(subtopology) = spec.subtopology else {
            // Global tables only: every host has them, and no task.
            return self
                .query(site, blueprint, route, None, request, deadline)
                .await;
        };
        let tasks = site.plan.tasks_of(subtopology);
        if tasks == 0 {
            return Try::Done(Answer::Failed(
                "the route's stores belong to no task".to_owned(),
            ));
        }
        let task = TaskId {
            subtopology,
            partition: partitioner::partition(&key, tasks),
        };
        match (self.ownership.worker_of(task), spec.kind) {
            (Some(worker), RouteKind::Command) => {
                self.command(worker, task, route, request, deadline).await
            }
            (Some(_), RouteKind::Query) => {
                self.query(site, blueprint, route, Some(task), request, deadline)
                    .await
            }
            (None, _) => match self.host.owners.elsewhere(&self.name, task) {
                Some(address) => Try::Done(Answer::Elsewhere(address)),
                None => Try::NotHere,
            },
        }
    }

    /// The key that a request is about.
    async fn key(
        self: &Arc<Shared>,
        blueprint: &Arc<Blueprint>,
        key: &RouteKey,
        request: &Request,
    ) -> Result<Vec<u8>, Answer> {
        match key {
            RouteKey::Parameter(name) => {
                let found = request
                    .parameters
                    .iter()
                    .find(|(parameter, _)| parameter == name);
                let value = found.map(|(_, value)| value.clone().into_bytes());
                value.ok_or_else(|| Answer::Failed(format!("the path has no parameter `{name}`")))
            }
            RouteKey::Function(function) => self.locate(blueprint, *function, request).await,
        }
    }

    async fn locate(
        self: &Arc<Shared>,
        blueprint: &Arc<Blueprint>,
        function: FunctionId,
        request: &Request,
    ) -> Result<Vec<u8>, Answer> {
        let request = request.clone();
        let located = self
            .with_guest(blueprint, move |guest| {
                guest.enter(moment(&request));
                guest.locate(function, &request)
            })
            .await?;
        match located {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(response)) => Err(Answer::Response(response)),
            Err(failure) => Err(Answer::Failed(told(&failure))),
        }
    }

    async fn command(
        &self,
        worker: usize,
        task: TaskId,
        route: usize,
        request: &Request,
        deadline: Instant,
    ) -> Try {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            route,
            task,
            request: request.clone(),
            deadline,
            reply,
        };
        let Some(mailbox) = self.mailbox(worker) else {
            return Try::NotHere;
        };
        if mailbox.post(Letter::Command(asked)).is_err() {
            let why = "too many requests wait for this worker; ask again later";
            return Try::Done(Answer::Unavailable(why.to_owned()));
        }
        Try::Done(match timeout_at(deadline.into(), answer).await {
            Ok(Ok(Reply::Response(response))) => Answer::Response(response),
            Ok(Ok(Reply::Unknown(reason))) => Answer::Unavailable(format!(
                "decided, but perhaps not committed ({reason}); look before asking again"
            )),
            Ok(Ok(Reply::Moved) | Err(_)) => return Try::NotHere,
            Err(_) => Answer::Unavailable("not decided in time; it may still be".to_owned()),
        })
    }

    async fn query(
        self: &Arc<Shared>,
        site: &Arc<Site>,
        blueprint: &Arc<Blueprint>,
        route: usize,
        task: Option<TaskId>,
        request: &Request,
        deadline: Instant,
    ) -> Try {
        self.meters.queries.increment(1);
        let watcher = Arc::new(self.watches.watcher());
        let _waiting = Waiting::new(self);
        loop {
            let version = self.watches.version();
            match self
                .look(site, blueprint, route, task, request, &watcher)
                .await
            {
                Ok(Some(response)) => return Try::Done(Answer::Response(response)),
                Ok(None) => {}
                Err(answer) => return Try::Done(answer),
            }
            let changed = self.watches.version() != version;
            if !changed
                && timeout_at(deadline.into(), watcher.changed())
                    .await
                    .is_err()
            {
                return Try::Done(Answer::NotYet);
            }
            if changed && Instant::now() >= deadline {
                return Try::Done(Answer::NotYet);
            }
            let moved = task.is_some_and(|task| self.ownership.worker_of(task).is_none());
            if moved || !Arc::ptr_eq(blueprint, &self.blueprint()) {
                return Try::NotHere;
            }
        }
    }

    /// One look at committed state, as it is now.
    async fn look(
        self: &Arc<Shared>,
        site: &Arc<Site>,
        blueprint: &Arc<Blueprint>,
        route: usize,
        task: Option<TaskId>,
        request: &Request,
        watcher: &Arc<Watcher>,
    ) -> Result<Option<Response>, Answer> {
        self.meters.looks.increment(1);
        let (site, version, request) = (Arc::clone(site), Arc::clone(blueprint), request.clone());
        let watcher = Arc::clone(watcher);
        let answered = self
            .with_guest(blueprint, move |guest| {
                let topology = &version.topology;
                let spec = &topology.routes()[route];
                let partition = task.map_or(0, |task| task.partition);
                let view = site.database.view(partition, topology.stores());
                let view = view.map_err(|error| Failure::Host(error.to_string()))?;
                let stores = &spec.stores;
                let mut seen = Seen {
                    view,
                    topology,
                    stores,
                    partition,
                    watcher: &watcher,
                };
                guest.enter(moment(&request));
                guest.answer(spec.function, &request, &mut seen)
            })
            .await?;
        answered.map_err(|failure| {
            tracing::warn!(
                service = self.name,
                failure = told(&failure),
                "a query failed"
            );
            Answer::Failed(told(&failure))
        })
    }

    /// Runs a call on an instance of the pool, on a thread that may block.
    async fn with_guest<T: Send + 'static>(
        self: &Arc<Shared>,
        blueprint: &Arc<Blueprint>,
        call: impl FnOnce(&mut dyn Guest) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let permit = Arc::clone(&self.pool.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Answer::Unavailable("the service stops".to_owned()))?;
        let (shared, blueprint) = (Arc::clone(self), Arc::clone(blueprint));
        let called = tokio::task::spawn_blocking(move || {
            let mut guest = shared.pool.take(&blueprint)?;
            let answer = call(guest.as_mut());
            shared.pool.give_back(&blueprint, guest);
            drop(permit);
            Ok(answer)
        });
        match called.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(reason)) => Err(Answer::Failed(reason)),
            Err(error) => Err(Answer::Failed(error.to_string())),
        }
    }
}

fn moment(request: &Request) -> Moment {
    let seed = request
        .unique
        .get(..16)
        .and_then(|half| u64::from_str_radix(half, 16).ok());
    Moment {
        time: request.time,
        seed: seed.unwrap_or(0),
    }
}

/// For whoever asked; the backtrace is for the log.
fn told(failure: &Failure) -> String {
    failure.to_string()
}

/// Counts a query while it waits.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Waiting<'a> {
        shared.meters.waiting.increment(1.0);
        Waiting(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.meters.waiting.decrement(1.0);
    }
}
