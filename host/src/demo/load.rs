//! Posting orders on schedule, and following each to its decision.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Plan;
use super::mix::{Kind, Posted};
use super::report::Outcome;
use crate::http::{Client, HttpError};

/// Posts all orders, each when it is due, whatever the answers to others do.
pub(super) async fn post(
    host: SocketAddr,
    orders: &[Posted],
    plan: &Plan,
) -> anyhow::Result<Vec<Outcome>> {
    let (client, started) = (Client::default(), Instant::now());
    let gap = Duration::from_secs(1) / plan.rate.max(1);
    let mut following = JoinSet::new();
    for (index, order) in orders.iter().enumerate() {
        tokio::time::sleep_until((started + gap * index as u32).into()).await;
        let (client, order, patience) = (client.clone(), order.clone(), plan.patience);
        following.spawn(async move { follow(&client, host, &order, patience).await });
    }
    let mut outcomes = Vec::with_capacity(orders.len());
    while let Some(outcome) = following.join_next().await {
        outcomes.push(outcome.context("following an order")?);
    }
    Ok(outcomes)
}

async fn follow(client: &Client, host: SocketAddr, order: &Posted, patience: Duration) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome {
        kind: order.kind,
        surprise: None,
        posted: Duration::ZERO,
        decided: None,
    };
    match try_follow(client, host, order, patience, started, &mut outcome).await {
        Ok(surprise) => outcome.surprise = surprise,
        Err(error) => outcome.surprise = Some(format!("{}: {error}", order.id)),
    }
    outcome
}

/// What differed from what was expected; nothing: `None`.
async fn try_follow(
    client: &Client,
    host: SocketAddr,
    order: &Posted,
    patience: Duration,
    started: Instant,
    outcome: &mut Outcome,
) -> Result<Option<String>, HttpError> {
    if order.kind == Kind::Conflict {
        // The other order of this id goes first.
        let path = format!("/v1/orders/{}", order.id);
        client.get(host, &path, patience).await?;
    }
    let times = if order.kind == Kind::PostedTwice {
        2
    } else {
        1
    };
    let started = if order.kind == Kind::Conflict {
        Instant::now()
    } else {
        started
    };
    for _ in 0..times {
        let (status, body) = client
            .post(host, "/v1/orders", &order.body, patience)
            .await?;
        outcome.posted = started.elapsed();
        if status != order.kind.status() {
            return Ok(Some(format!("{}: HTTP {status} {body}", order.id)));
        }
    }
    let Some(wanted) = order.kind.decision() else {
        return Ok(None);
    };
    let path = format!(
        "/v1/orders/{}/validated?timeout={}",
        order.id,
        patience.as_millis()
    );
    let (status, body) = client
        .get(host, &path, patience + Duration::from_secs(1))
        .await?;
    outcome.decided = Some(started.elapsed());
    let state = body
        .get("state")
        .and_then(Value::as_str)
        .unwrap_or("no state");
    Ok((state != wanted).then(|| format!("{}: {state}, HTTP {status} {body}", order.id)))
}
