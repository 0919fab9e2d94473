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
    /// The headers that are text, names in lower case.
    pub headers: Vec<(String, String)>,
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

    /// The first header of this name (in lower case), if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(it, _)| it == name)?;
        Some(value)
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
    let headers = response.headers().iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let headers = headers.collect();
    let body = response.body_mut().read_to_string()?;
    let status = response.status().as_u16();
    Ok(Response {
        status,
        headers,
        body,
        took: begun.elapsed(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use serde_json::json;

    use super::*;

    /// A server that gives one answer; the URL of `/it` on it, and the request that it got.
    fn server(answer: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/it", listener.local_addr().unwrap());
        let request = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 4096]);
            // Here a body ends with a brace, and a request without one with an empty line.
            let ends = |request: &str| {
                let end = if request.starts_with("GET") {
                    "\r\n\r\n"
                } else {
                    "}"
                };
                request.ends_with(end)
            };
            while !ends(&request) {
                let read = stream.read(&mut buffer).unwrap();
                request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        (url, request)
    }

    #[test]
    fn a_refusal_is_an_answer_like_any_other() {
        let (url, request) = server(
            "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\n\
             content-length: 8\r\n\r\n{\"no\":1}",
        );
        let response = post(&url, &json!({"id": "1"})).expect(409);
        assert_eq!(response.json()["no"], 1);
        assert_eq!(response.header("content-type"), Some("application/json"));
        let request = request.join().unwrap();
        assert!(request.starts_with("POST /it HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("{\"id\":\"1\"}"), "{request}");
    }

    #[test]
    fn a_redirect_is_shown_not_followed() {
        let (url, request) =
            server("HTTP/1.1 303 See Other\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n");
        let response = get(&url).expect(303);
        assert_eq!(response.header("location"), Some("/other"));
        assert!(request.join().unwrap().starts_with("GET /it HTTP/1.1\r\n"));
    }

    #[test]
    fn a_host_that_is_down_is_an_error() {
        let [nobody] = crate::ports::free();
        assert!(send("GET", &format!("http://{nobody}/"), None).is_err());
    }

    #[test]
    fn any_method_may_be_sent() {
        let (url, request) = server("HTTP/1.1 405 Nope\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(send("DELETE", &url, Some("{}")).unwrap().status, 405);
        assert!(request.join().unwrap().starts_with("DELETE /it"));
    }
}
