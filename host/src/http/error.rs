//! Answers that the host itself gives: a status and `{"errors": [...]}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A refusal, with what is wrong and how to mend it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    allow: Option<String>,
}

impl Refusal {
    /// With a status and a reason for people.
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Refusal {
        Refusal {
            status,
            reason: reason.into(),
            allow: None,
        }
    }

    /// 405, with the methods that would do.
    pub(super) fn method(method: &str, path: &str, allowed: &[&str]) -> Refusal {
        let allow = allowed.join(", ");
        let reason = format!("{method} is not for {path}; it takes {allow}");
        Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason,
            allow: Some(allow),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "errors": [self.reason] }).to_string();
        let json = (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let mut response = (self.status, [json], body).into_response();
        if let Some(allow) = self
            .allow
            .and_then(|allow| HeaderValue::from_str(&allow).ok())
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}
