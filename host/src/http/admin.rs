//! What operators and their tools ask: is it alive, does it work, what does it count.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::gateway::Gateway;
use super::shared::Shared;

/// `/healthz`, `/readyz`, `/metrics`.
pub(super) fn router<G: Gateway>() -> Router<Arc<Shared<G>>> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready::<G>))
        .route("/metrics", get(metrics::<G>))
}

async fn ready<G: Gateway>(State(shared): State<Arc<Shared<G>>>) -> impl IntoResponse {
    let readiness = shared.gateway.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let lines = readiness
        .report
        .iter()
        .map(|(what, state)| format!("{what}: {state}\n"));
    (status, lines.collect::<String>())
}

async fn metrics<G: Gateway>(State(shared): State<Arc<Shared<G>>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        shared.gateway.metrics(),
    )
}
