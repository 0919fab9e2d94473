//! The port behind which the services stand.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use weir_core::functions::{Request, Response};

/// A route that some service declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The service's name.
    pub service: String,
    /// Position in the service's routes.
    pub route: usize,
    /// Upper case.
    pub method: String,
    /// Literal parts and `{named}` parameters.
    pub path: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service has answered; what a command wrote is committed.
    Response(Response),
    /// A query had no answer when its time was up.
    NotYet,
    /// A command was not decided when its time was up, or its task could not be reached. It may
    /// still be decided.
    Unavailable(String),
    /// Another host owns the key: its address, `host:port`.
    Elsewhere(String),
    /// The service failed on this request.
    Failed(String),
}

/// Whether the host does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether every service runs and reaches its brokers.
    pub ready: bool,
    /// A line for each service and for the brokers.
    pub report: Vec<(String, String)>,
}

/// What HTTP needs of the host.
pub trait Gateway: Send + Sync + 'static {
    /// All routes, as they are now.
    fn routes(&self) -> Arc<[Route]>;

    /// Asks a service, and waits for its answer until `deadline`.
    fn ask(
        &self,
        route: &Route,
        request: Request,
        deadline: Instant,
    ) -> impl Future<Output = Answer> + Send;

    /// For `/readyz`.
    fn readiness(&self) -> Readiness;

    /// For `/metrics`: Prometheus' text format.
    fn metrics(&self) -> String;
}
