//! The server: from a connection to a service and back.
//!
//! A request is asked of this host first. Where another host owns its key it is forwarded; where
//! the owner is just changing it is asked again, until its time is up. A forwarded request is never
//! forwarded again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, Response as HttpResponse, StatusCode};
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weir_core::functions::Response;

use super::admin;
use super::client::Client;
use super::error::Refusal;
use super::forward::{Failure, forward};
use super::gateway::{Answer, Gateway, Route};
use super::incoming::{self, Incoming};
use super::routes::{self, Found};
use super::shared::{Options, Shared};

/// A running server.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Serves `gateway` on a listener, on tasks of the current tokio runtime.
    pub fn start<G: Gateway>(
        listener: TcpListener,
        gateway: Arc<G>,
        options: Options,
    ) -> std::io::Result<Server> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            gateway,
            options,
            client: Client::default(),
        });
        let router = Router::new()
            .merge(admin::router())
            .fallback(serve::<G>)
            .with_state(shared);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
        });
        Ok(Server {
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and waits up to `patience` for requests under way.
    pub async fn stop(self, patience: Duration) {
        let _ = self.stop.send(());
        let mut task = self.task;
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn serve<G: Gateway>(
    State(shared): State<Arc<Shared<G>>>,
    request: HttpRequest,
) -> HttpResponse<Body> {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let routes = shared.gateway.routes();
    let (route, parameters) = match routes::find(&routes, method, path) {
        Found::Route(route, parameters) => (route.clone(), parameters),
        Found::WrongMethod(allowed) => {
            return Refusal::method(method, path, &allowed).into_response();
        }
        Found::Nothing => {
            let reason = format!("no service has a route for {path}");
            return Refusal::new(StatusCode::NOT_FOUND, reason).into_response();
        }
    };
    let uri = parts.uri.path_and_query().map_or(path, |uri| uri.as_str());
    match incoming::read(&parts, body, parameters, &shared.options).await {
        Ok(incoming) => ask(&shared, &route, uri, incoming).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Asks here, and where the key is owned elsewhere, there.
async fn ask<G: Gateway>(
    shared: &Shared<G>,
    route: &Route,
    uri: &str,
    incoming: Incoming,
) -> HttpResponse<Body> {
    const PAUSE: Duration = Duration::from_millis(20);
    let Incoming {
        request,
        patience,
        forwarded,
    } = incoming;
    let deadline = Instant::now() + patience;
    loop {
        let host = match shared.gateway.ask(route, request.clone(), deadline).await {
            Answer::Response(response) => return service_response(response),
            Answer::NotYet if patience.is_zero() => {
                return Refusal::new(StatusCode::NOT_FOUND, "nothing there").into_response();
            }
            Answer::NotYet => return too_late(patience),
            Answer::Unavailable(reason) => {
                return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
            }
            Answer::Failed(reason) => {
                return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason).into_response();
            }
            Answer::Elsewhere(host) => host,
        };
        if forwarded {
            let reason = format!("{host} owns the key");
            return Refusal::new(StatusCode::MISDIRECTED_REQUEST, reason).into_response();
        }
        match forward(&shared.client, &host, &request, uri, deadline).await {
            Ok(response) => return response,
            Err(Failure::Late) => return too_late(patience),
            Err(Failure::Again(reason)) if Instant::now() + PAUSE >= deadline => {
                return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
            }
            Err(Failure::Again(reason)) => {
                tracing::debug!(host, reason, "asking again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn too_late(patience: Duration) -> HttpResponse<Body> {
    let reason = format!("no answer within {} ms", patience.as_millis());
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, reason).into_response()
}

/// A service's answer. A status or header that HTTP does not know is the service's fault.
fn service_response(response: Response) -> HttpResponse<Body> {
    let Ok(status) = StatusCode::from_u16(response.status) else {
        let reason = format!("the service answered with status {}", response.status);
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason).into_response();
    };
    let mut http = HttpResponse::new(Body::from(response.body));
    *http.status_mut() = status;
    for (name, value) in &response.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                http.headers_mut().append(name, value);
            }
            _ => {
                let reason = format!("the service answered with a header that is none: {name}");
                return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason).into_response();
            }
        }
    }
    http
}
