//! Handing a request to the host that owns its key: one hop, with the time that is left.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Request as HttpRequest, Response as HttpResponse, StatusCode, header};
use weir_core::functions::Request;

use super::client::{Client, Error};
use super::incoming::{TIME_LEFT, UNIQUE};

/// How long the other host may be late beyond the time it was given.
const GRACE: Duration = Duration::from_millis(500);

/// Why the other host did not answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It does not own the key (any more), or cannot be reached: look again, ask again.
    Again(String),
    /// It was not heard of in time.
    Late,
}

/// Asks `host` (`host:port`) until `deadline`.
pub(super) async fn forward(
    client: &Client,
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
        if !between_two_only(name) {
            outgoing = outgoing.header(name, value);
        }
    }
    let outgoing = outgoing
        .body(Bytes::from(request.body.clone()))
        .map_err(|error| Failure::Again(format!("{host}: {error}")))?;
    match client.send(outgoing, left + GRACE).await {
        Err(Error::Late(_)) => Err(Failure::Late),
        Err(error) => Err(Failure::Again(format!("{host}: {error}"))),
        Ok(response) if response.status() == StatusCode::MISDIRECTED_REQUEST => Err(
            Failure::Again(format!("{host} does not own the key any more")),
        ),
        Ok(mut response) => {
            response.headers_mut().remove(header::TRANSFER_ENCODING);
            Ok(response.map(Body::from))
        }
    }
}

/// Headers that are about one connection, not about the request.
fn between_two_only(name: &str) -> bool {
    matches!(
        name,
        "host" | "connection" | "content-length" | "transfer-encoding" | "expect"
    )
}
