//! A plain HTTP client for stories: one request, one answer, no pool, no redirects, no proxy.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

/// The longest that any request may take: the host's own limit is 60 s.
const LIMIT: Duration = Duration::from_secs(75);

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The body, as text.
    pub body: String,
    /// From the start of the request to the end of the answer.
    pub took: Duration,
}

impl Response {
    /// The body as JSON. Panics if it is something else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Itself, if it has this status; panics and shows the whole answer otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert!(self.status == status, "expected {status}, got {self:?}");
        self
    }
}

/// A GET. Panics if there is no answer.
#[track_caller]
pub fn get(url: &str) -> Response {
    send("GET", url, None).unwrap_or_else(|error| panic!("GET {url}: {error}"))
}

/// A POST of JSON. Panics if there is no answer.
#[track_caller]
pub fn post(url: &str, body: &Value) -> Response {
    send("POST", url, Some(&body.to_string())).unwrap_or_else(|error| panic!("POST {url}: {error}"))
}

/// Any request; a body is sent as JSON, well-formed or not. Errors: there was no answer, as while
/// the host is down.
pub fn send(method: &str, url: &str, body: Option<&str>) -> Result<Response, ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(LIMIT))
        .build()
        .into();
    let request = Request::builder().method(method).uri(url);
    let begun = Instant::now();
    let mut response = match body {
        Some(body) => agent.run(
            request
                .header("content-type", "application/json")
                .body(body.to_owned())?,
        )?,
        None => agent.run(request.body(())?)?,
    };
    let header = |name| {
        response
            .headers()
            .get(name)?
            .to_str()
            .ok()
            .map(str::to_owned)
    };
    let (location, content_type) = (header("location"), header("content-type"));
    let body = response.body_mut().read_to_string()?;
    let status = response.status().as_u16();
    Ok(Response {
        status,
        location,
        content_type,
        body,
        took: begun.elapsed(),
    })
}
