//! HTTP, as a service sees it: requests and responses.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::weir::service::http as wire;

/// A request to one of the service's routes.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub(crate) wire: &'a wire::Request,
}

impl<'a> Request<'a> {
    /// Upper case.
    pub fn method(&self) -> &'a str {
        &self.wire.method
    }

    /// As it was asked for, without the query.
    pub fn path(&self) -> &'a str {
        &self.wire.path
    }

    /// The part of the path that the route calls `{name}`; empty where the route names none such.
    pub fn param(&self, name: &str) -> &'a str {
        value(&self.wire.parameters, name).unwrap_or_default()
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&'a str> {
        value(&self.wire.query, name)
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        value(&self.wire.headers, name)
    }

    /// The body as it came.
    pub fn body(&self) -> &'a [u8] {
        &self.wire.body
    }

    /// The body read as JSON, or the response that refuses it: 400, and what is wrong with which
    /// field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Response> {
        let mut json = serde_json::Deserializer::from_slice(self.body());
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| error.to_string())
            .and_then(|body| json.end().map_err(|e| e.to_string()).map(|()| body))
            .map_err(|error| Response::errors(400, &[format!("body: {error}")]))
    }

    /// The host's wall clock when it came, milliseconds since the epoch. Rows that a command
    /// appends carry it.
    pub fn time(&self) -> i64 {
        self.wire.time
    }

    /// 32 hexadecimal digits that no other request has; the same when this one is asked again.
    pub fn unique(&self) -> &'a str {
        &self.wire.unique
    }
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// No body.
    pub fn status(status: u16) -> Response {
        Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A body of JSON.
    pub fn json<T: Serialize + ?Sized>(status: u16, body: &T) -> Response {
        let body = serde_json::to_vec(body).unwrap_or_else(|error| panic!("a response: {error}"));
        Response::status(status)
            .header("content-type", "application/json")
            .body(body)
    }

    /// `{"errors": […]}`.
    pub fn errors<S: AsRef<str>>(status: u16, errors: &[S]) -> Response {
        let errors: Vec<&str> = errors.iter().map(AsRef::as_ref).collect();
        Response::json(status, &serde_json::json!({ "errors": errors }))
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Response {
        let body = body.into();
        Response { body, ..self }
    }

    pub(crate) fn into_wire(self) -> wire::Response {
        wire::Response {
            status: self.status,
            headers: self.headers,
            body: self.body,
        }
    }
}
