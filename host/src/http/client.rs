//! A plain HTTP client: for requests that go to another host, and for the demo.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A response is given up above this.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends requests over connections that it keeps. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    connections: Connections<HttpConnector, Full<Bytes>>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None came in time.
    #[error("no response within {} ms", .0.as_millis())]
    Late(Duration),
    /// The other side cannot be reached, or broke off.
    #[error("{0}")]
    Broken(String),
}

impl Default for Client {
    fn default() -> Client {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        Client {
            connections: Connections::builder(TokioExecutor::new()).build(connector),
        }
    }
}

impl Client {
    /// `GET` of a path, the body as JSON (null where it is none).
    pub async fn get(
        &self,
        host: SocketAddr,
        path: &str,
        patience: Duration,
    ) -> Result<(u16, Value), Error> {
        let request = Request::get(format!("http://{host}{path}")).body(Bytes::new());
        self.json(request, patience).await
    }

    /// `POST` of JSON to a path, the body as JSON (null where it is none).
    pub async fn post(
        &self,
        host: SocketAddr,
        path: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<(u16, Value), Error> {
        let request = Request::post(format!("http://{host}{path}"))
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()));
        self.json(request, patience).await
    }

    async fn json(
        &self,
        request: Result<Request<Bytes>, axum::http::Error>,
        patience: Duration,
    ) -> Result<(u16, Value), Error> {
        let request = request.map_err(|error| Error::Broken(error.to_string()))?;
        let response = self.send(request, patience).await?;
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Ok((response.status().as_u16(), body))
    }

    /// Sends a request with an absolute address, and reads the whole response.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Result<Response<Bytes>, Error> {
        let answered = async {
            let response = self.connections.request(request.map(Full::new)).await;
            let (parts, body) = response.map_err(|e| broken(&e))?.into_parts();
            let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
            let body = body
                .map_err(|error| Error::Broken(error.to_string()))?
                .to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        tokio::time::timeout(patience, answered)
            .await
            .unwrap_or(Err(Error::Late(patience)))
    }
}

/// The error with its cause: hyper's own text does not name it.
fn broken(error: &hyper_util::client::legacy::Error) -> Error {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Error::Broken(format!("{error}{}", cause.unwrap_or_default()))
}
