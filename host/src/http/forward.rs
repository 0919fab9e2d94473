//! Handing a request to the host that owns its key: one hop, with the time that is left.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, Request as HttpRequest, Response as HttpResponse, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use weir_core::functions::Request;

use super::incoming::{TIME_LEFT, UNIQUE};

/// A response of another host is cut off above this.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// How long the other host may be late beyond the time it was given.
const GRACE: Duration = Duration::from_millis(500);

/// Sends requests to other hosts, over connections that it keeps.
#[derive(Clone)]
pub(super) struct Forwarder {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Why the other host did not answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It does not own the key (any more), or cannot be reached: look again, ask again.
    Again(String),
    /// It was not heard of in time.
    Late,
}

impl Forwarder {
    pub(super) fn new() -> Forwarder {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(1)));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Forwarder { client }
    }

    /// Asks `host` (`host:port`) until `deadline`.
    pub(super) async fn forward(
        &self,
        host: &str,
        request: &Request,
        uri: &str,
        deadline: Instant,
    ) -> Result<HttpResponse<Body>, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut outgoing = HttpRequest::builder()
            .method(request.method.as_str())
            .uri(format!("http://{host}{uri}"))
            .header(TIME_LEFT, left.as_millis().to_string())
            .header(UNIQUE, &request.unique);
        for (name, value) in &request.headers {
            if !matches!(name.as_str(), "host" | "connection" | "content-length" | "transfer-encoding") {
                outgoing = outgoing.header(name, value);
            }
        }
        let outgoing = outgoing
            .body(Full::new(Bytes::from(request.body.clone())))
            .map_err(|error| Failure::Again(format!("{host}: {error}")))?;
        let answered = async {
            let response = self.client.request(outgoing).await;
            let (mut parts, body) = response.map_err(|e| format!("{host}: {e}"))?.into_parts();
            let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
            let body = body.map_err(|e| format!("{host}: {e}"))?.to_bytes();
            parts.headers.remove(HeaderName::from_static("transfer-encoding"));
            Ok::<_, String>(HttpResponse::from_parts(parts, Body::from(body)))
        };
        match tokio::time::timeout(left + GRACE, answered).await {
            Err(_) => Err(Failure::Late),
            Ok(Err(reason)) => Err(Failure::Again(reason)),
            Ok(Ok(response)) if response.status() == StatusCode::MISDIRECTED_REQUEST => {
                Err(Failure::Again(format!("{host} does not own the key any more")))
            }
            Ok(Ok(response)) => Ok(response),
        }
    }
}
