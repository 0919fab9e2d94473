//! Reading a request: within its limits, and as a service wants to see it.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use weir_core::functions::Request;

use super::error::Refusal;
use super::shared::Options;

/// A request's unique name, when one host forwards it to another.
pub(super) const UNIQUE: &str = "weir-unique";
/// Milliseconds that are left, when one host forwards to another. Its presence says that this is
/// the last hop.
pub(super) const TIME_LEFT: &str = "weir-time-left-ms";

/// A request, and how long its client waits for it.
pub(super) struct Incoming {
    pub(super) request: Request,
    pub(super) patience: Duration,
    /// Another host sent it here.
    pub(super) forwarded: bool,
}

/// Reads a request whose path named `parameters`.
pub(super) async fn read(
    parts: &Parts,
    body: Body,
    parameters: Vec<(String, String)>,
    options: &Options,
) -> Result<Incoming, Refusal> {
    let body = axum::body::to_bytes(body, options.max_body_bytes)
        .await
        .map_err(|_| {
            let reason = format!(
                "the body is over {} bytes, or broke off",
                options.max_body_bytes
            );
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
        })?;
    let query: Vec<(String, String)> =
        form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
    let time_left = text(&parts.headers, TIME_LEFT).and_then(|ms| ms.parse().ok());
    let patience = match time_left {
        Some(left) => Duration::from_millis(left).min(options.max_timeout),
        None => patience(&query, options)?,
    };
    let unique = text(&parts.headers, UNIQUE).map(str::to_owned);
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        parameters,
        query,
        headers: headers(&parts.headers),
        body: body.to_vec(),
        time: since_epoch.as_millis() as i64,
        unique: unique.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string()),
    };
    Ok(Incoming {
        request,
        patience,
        forwarded: time_left.is_some(),
    })
}

/// `?timeout=ms`, or the default.
fn patience(query: &[(String, String)], options: &Options) -> Result<Duration, Refusal> {
    let Some((_, text)) = query.iter().find(|(name, _)| name == "timeout") else {
        return Ok(options.default_timeout);
    };
    let most = options.max_timeout.as_millis();
    match text.parse::<u64>() {
        Ok(ms) if u128::from(ms) <= most => Ok(Duration::from_millis(ms)),
        _ => {
            let reason = format!("timeout={text}: give milliseconds from 0 to {most}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, reason))
        }
    }
}

/// The headers that a service sees: those that are text, without the ones between hosts.
fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    all.iter()
        .filter(|(name, _)| !name.as_str().starts_with("weir-"))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
