//! The demo's side of Kafka: topics, stock, customers, payments, and the mails that come out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use weir_core::partitioner;

use super::mix::{LEVELS, Posted, STOCK};
use crate::kafka::{Cleanup, Cluster, Error, Partition, Publisher, Reader, Topic};

const PARTITIONS: u32 = 4;
const MAILS: &str = "email-outbox";
/// Topics of events, and those of which the last row of a key counts.
const EVENTS: [&str; 10] = [
    "orders",
    "order-validations",
    "payments",
    "orders-enriched",
    "platinum",
    "gold",
    "silver",
    "bronze",
    "fraud-alerts",
    MAILS,
];
const TABLES: [&str; 2] = ["warehouse-inventory", "customers"];

/// Makes the topics that are missing.
pub(super) fn make_topics(cluster: &Cluster) -> Result<(), Error> {
    let topic = |name: &str, cleanup| Topic {
        name: name.to_owned(),
        partitions: PARTITIONS,
        cleanup,
        grows: false,
    };
    let events = EVENTS.iter().map(|name| topic(name, Cleanup::Default));
    let tables = TABLES.iter().map(|name| topic(name, Cleanup::Compact));
    cluster.ensure(&events.chain(tables).collect::<Vec<_>>())
}

/// Sets the stock, and writes a customer for each order.
pub(super) fn fill(cluster: &Cluster, customers: usize) -> Result<(), Error> {
    let mut publisher = Publisher::open(cluster)?;
    for (product, level) in STOCK {
        publish(
            &mut publisher,
            "warehouse-inventory",
            product.as_bytes(),
            &level.to_be_bytes(),
        )?;
    }
    for id in 0..customers as i64 {
        let level = LEVELS[id as usize % LEVELS.len()];
        let customer = json!({
            "id": id, "firstName": "Franz", "lastName": "Kafka", "email": "franz@example.org",
            "address": "Prague", "level": level,
        });
        publish(
            &mut publisher,
            "customers",
            &id.to_be_bytes(),
            customer.to_string().as_bytes(),
        )?;
    }
    Ok(())
}

/// Writes a payment of each order.
pub(super) fn pay(cluster: &Cluster, orders: &[Posted]) -> Result<(), Error> {
    let mut publisher = Publisher::open(cluster)?;
    for order in orders {
        let id = format!("payment-{}", order.id);
        let payment = json!({"id": id, "orderId": order.id, "ccy": "CZK", "amount": 10.0});
        publish(
            &mut publisher,
            "payments",
            id.as_bytes(),
            payment.to_string().as_bytes(),
        )?;
    }
    Ok(())
}

/// How many orders with this prefix had a mail sent, once `expected` have or `patience` is over. A
/// second mail counts too.
pub(super) fn mails(
    cluster: &Arc<Cluster>,
    prefix: &str,
    expected: usize,
    patience: Duration,
) -> Result<usize, Error> {
    let mut reader = Reader::new(cluster, Arc::new(|| {}));
    let partitions = (0..PARTITIONS).map(|number| (Partition::new(MAILS, number), None));
    reader.add(&partitions.collect::<Vec<_>>())?;
    let (mut mails, mut orders) = (0, BTreeSet::new());
    let deadline = Instant::now() + patience;
    let mut rows = Vec::new();
    while orders.len() < expected && Instant::now() < deadline {
        reader.poll(1000, &mut rows)?;
        for key in rows
            .drain(..)
            .flat_map(|rows| rows.rows.keys.iter().map(own).collect::<Vec<_>>())
        {
            let key = key.unwrap_or_default();
            if key.starts_with(prefix.as_bytes()) {
                mails += 1;
                orders.insert(key);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(mails)
}

fn own(key: Option<&[u8]>) -> Option<Vec<u8>> {
    key.map(<[u8]>::to_vec)
}

fn publish(publisher: &mut Publisher, topic: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
    let number = partitioner::partition(key, PARTITIONS);
    publisher.publish(&Partition::new(topic, number), key, Some(value))
}
