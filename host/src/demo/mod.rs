//! The demo: orders posted to the six services over HTTP, each followed to its decision.
//!
//! It is a client like any other: it writes stock, customers and payments to their topics, posts to
//! `/v1/orders`, waits with a long poll, and counts the mails that a reader of committed rows sees.

mod load;
mod mix;
mod report;
mod shop;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::kafka::Cluster;

/// The components that the demo needs, each a service of the same name.
pub const SERVICES: [&str; 6] = [
    "orders",
    "order-details",
    "inventory",
    "fraud",
    "validations",
    "email",
];

/// How many orders, and how fast.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Orders to post.
    pub orders: usize,
    /// Orders a second.
    pub rate: u32,
    /// How long an order's decision is waited for.
    pub patience: Duration,
}

/// Makes the topics of the order system where they are missing, and fills stock and customers.
///
/// Blocks. Errors: brokers that do not answer.
pub fn prepare(cluster: &Cluster, plan: &Plan) -> anyhow::Result<()> {
    shop::make_topics(cluster).context("making the topics of the order system")?;
    shop::fill(cluster, plan.orders).context("filling stock and customers")
}

/// Posts the orders to the host at `http` and follows them; returns the table, and whether all came
/// as it should.
pub async fn run(
    cluster: Arc<Cluster>,
    http: SocketAddr,
    plan: Plan,
) -> anyhow::Result<(String, bool)> {
    let prefix = format!("demo-{}", std::process::id());
    let orders: Vec<_> = (0..plan.orders)
        .map(|index| mix::order(&prefix, index))
        .collect();
    let mut payers = orders.clone();
    payers.retain(|order| order.kind.mails());
    let paying = cluster.clone();
    let payments = tokio::task::spawn_blocking(move || shop::pay(&paying, &payers));
    let outcomes = load::post(http, &orders, &plan).await?;
    payments.await?.context("writing payments")?;
    let mails_expected = orders.iter().filter(|order| order.kind.mails()).count();
    let mails = tokio::task::spawn_blocking(move || {
        shop::mails(&cluster, &prefix, mails_expected, plan.patience)
    });
    let mails = mails.await?.context("counting mails")?;
    let report = report::Report {
        outcomes,
        mails,
        mails_expected,
    };
    Ok((report.to_string(), report.as_expected()))
}
