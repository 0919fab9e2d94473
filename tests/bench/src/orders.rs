//! The order system under load, and the stop-watch at its end.
//!
//! Orders go straight into the topic `orders`, each with its payment. One in ten has a negative
//! price and must end FAILED, all others must end VALIDATED. A latency runs from the sending of an
//! order to the arrival of its decision at a reader of committed rows.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{Message as _, Offset};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_tests::Client;
use weir_tests::child::Child;
use weir_tests::orders::TOPICS;

use crate::contender::{Contender, Job};
use crate::cost::{Cost, Process};
use crate::drain::{self, PATIENCE};
use crate::ground::Ground;
use crate::kafka;
use crate::outcome::Outcome;
use crate::rows::mix;
use crate::verify::Verdict;

const PRODUCTS: [&str; 3] = ["JUMPERS", "UNDERPANTS", "STOCKINGS"];
const LEVELS: [&str; 4] = ["platinum", "gold", "silver", "bronze"];
const CUSTOMERS: u64 = 10_000;
const STOCK: i32 = 1_000_000_000;
/// One order in so many is wrong.
const WRONG_EVERY: u64 = 10;
/// How long a second decision of an order is listened for.
const SETTLE: Duration = Duration::from_secs(2);

/// The orders of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many, at full scale.
    pub(crate) orders: u64,
    /// Orders before them, which are not measured.
    pub(crate) warmup: u64,
    /// Orders a second, sent on schedule whatever the answers do; `None`: all at once.
    pub(crate) rate: Option<u64>,
    /// The commit interval.
    pub(crate) commit_ms: u64,
}

/// Runs the six services of a contender under a load.
pub(crate) fn run(
    ground: &mut Ground,
    contender: Contender,
    load: Load,
) -> anyhow::Result<Outcome> {
    let id = ground.clear()?;
    let client = ground.client();
    prepare(client)?;
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    let job = Job {
        commit_ms: load.commit_ms,
        ..ground.job("orders", &id, "orders")
    };
    let mut desk = Desk::open(client, load.rate)?;
    let mut child = contender.start(&job, folder.path())?;
    let process = Process::new(child.pid());
    let scaled = |orders| match load.rate {
        None => ground.scaled(orders),
        // On schedule it is the time that warms up, and there is no less of it.
        Some(_) => orders,
    };
    let (warmup, orders) = (scaled(load.warmup), scaled(load.orders));
    desk.take(&mut child, 0..warmup)?;
    desk.forget();

    let (begun, cpu) = (Instant::now(), process.cpu()?);
    desk.take(&mut child, warmup..warmup + orders)?;
    let cost = Cost {
        rows: orders,
        wall: begun.elapsed(),
        cpu: process.cpu()?.saturating_sub(cpu),
    };
    let settled = Instant::now();
    while settled.elapsed() < SETTLE {
        desk.listen(Duration::from_millis(10))?;
    }
    let outcome = Outcome {
        verdict: Some(desk.tally.verdict()),
        ..Outcome::default()
    };
    let outcome = outcome.with_cost(&cost).with_peak_rss(process)?;
    drain::end(child);
    Ok(outcome.with_latencies(desk.tally.latencies()))
}

/// Makes the topics, and writes stock and customers.
fn prepare(client: &Client) -> anyhow::Result<()> {
    for topic in TOPICS {
        let compacted = ["warehouse-inventory", "customers"].contains(&topic);
        let policy = [("cleanup.policy", "compact")];
        client.create_topic(topic, kafka::PARTITIONS, &policy[usize::from(!compacted)..]);
    }
    let producer: BaseProducer = kafka::producer_config(client).create()?;
    for product in PRODUCTS {
        let level = STOCK.to_be_bytes();
        let record = BaseRecord::to("warehouse-inventory").key(product.as_bytes());
        kafka::send(&producer, record.payload(&level))?;
    }
    for id in 0..CUSTOMERS {
        let customer = json!({
            "id": id, "firstName": "Franz", "lastName": "Kafka", "email": "franz@example.org",
            "address": "Prague", "level": LEVELS[(id % 4) as usize],
        });
        let (key, value) = (id.to_be_bytes(), customer.to_string());
        let record = BaseRecord::to("customers").key(&key[..]);
        kafka::send(&producer, record.payload(value.as_bytes()))?;
    }
    kafka::drain(&producer)
}

/// Where orders are handed in, and decisions come out.
struct Desk {
    producer: BaseProducer,
    consumer: BaseConsumer,
    rate: Option<u64>,
    tally: Tally,
}

impl Desk {
    fn open(client: &Client, rate: Option<u64>) -> anyhow::Result<Self> {
        let mut config = kafka::producer_config(client);
        if rate.is_some() {
            config.set("linger.ms", "0");
        }
        Ok(Self {
            producer: config.create()?,
            consumer: kafka::reader(client, "orders", Offset::End)?,
            rate,
            tally: Tally::default(),
        })
    }

    /// Hands in these orders; returns when all are decided. Errors: nothing is decided for so long
    /// that nothing more will be.
    fn take(&mut self, child: &mut Child, orders: Range<u64>) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut heard = begun;
        let mut next = orders.start;
        while next < orders.end || self.tally.open > 0 {
            while next < orders.end && self.is_due(next - orders.start, begun) {
                self.hand_in(next)?;
                next += 1;
            }
            self.producer.poll(Duration::ZERO);
            if self.listen(Duration::from_millis(1))? {
                heard = Instant::now();
            }
            if let Some(status) = child.ended() {
                bail!("it ended: {status}\n{}", child.log_tail());
            }
            ensure!(
                heard.elapsed() < PATIENCE,
                "{} orders are not decided, and none for {PATIENCE:?}\n{}",
                self.tally.open,
                child.log_tail()
            );
        }
        Ok(())
    }

    fn is_due(&self, nth: u64, begun: Instant) -> bool {
        self.rate
            .is_none_or(|rate| begun.elapsed() >= Duration::from_micros(nth * 1_000_000 / rate))
    }

    fn hand_in(&mut self, i: u64) -> anyhow::Result<()> {
        let (order, expected) = order(i);
        let id = order["id"].as_str().context("an order has an id")?;
        let payment_id = format!("payment-{id}");
        let payment = json!({"id": payment_id, "orderId": id, "ccy": "CZK", "amount": 1000.0});
        let (value, payment) = (order.to_string(), payment.to_string());
        self.tally.hand_in(id, expected, Instant::now());
        for (topic, key, value) in [("orders", id, &value), ("payments", &payment_id, &payment)] {
            let record = BaseRecord::to(topic).key(key.as_bytes());
            kafka::send(&self.producer, record.payload(value.as_bytes()))?;
        }
        Ok(())
    }

    /// Takes one row of `orders`, if one comes in time; whether it was a decision.
    fn listen(&mut self, wait: Duration) -> anyhow::Result<bool> {
        let Some(Ok(message)) = self.consumer.poll(wait) else {
            return Ok(false);
        };
        let row: Row = serde_json::from_slice(message.payload().unwrap_or_default())?;
        Ok(self.tally.hear(&row, Instant::now()))
    }

    /// Starts counting anew.
    fn forget(&mut self) {
        self.tally = Tally::default();
    }
}

/// The order of this number, and how it must end.
fn order(i: u64) -> (Value, State) {
    let wrong = i.is_multiple_of(WRONG_EVERY);
    let order = json!({
        "id": format!("o-{i}"), "customerId": mix(i) % CUSTOMERS, "state": "CREATED",
        "product": PRODUCTS[(i % 3) as usize], "quantity": 1,
        "price": if wrong { -1.0 } else { 1.0 },
    });
    (
        order,
        if wrong {
            State::Failed
        } else {
            State::Validated
        },
    )
}

/// What matters of a row of `orders`.
#[derive(Deserialize)]
struct Row {
    id: String,
    state: State,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Created,
    Validated,
    Failed,
    Shipped,
}

/// Orders that were handed in, and what was decided.
#[derive(Default)]
struct Tally {
    orders: HashMap<String, Posted>,
    open: u64,
    doubled: u64,
    wrong: u64,
}

struct Posted {
    at: Instant,
    expected: State,
    took: Option<Duration>,
}

impl Tally {
    fn hand_in(&mut self, id: &str, expected: State, at: Instant) {
        let posted = Posted {
            at,
            expected,
            took: None,
        };
        self.orders.insert(id.to_owned(), posted);
        self.open += 1;
    }

    /// Takes a row; whether it decides an order. Decisions of earlier orders are passed over.
    fn hear(&mut self, row: &Row, now: Instant) -> bool {
        if row.state == State::Created {
            return false;
        }
        match self.orders.get_mut(&row.id) {
            None => return false,
            Some(order) if order.took.is_some() => self.doubled += 1,
            Some(order) => {
                order.took = Some(now - order.at);
                self.open -= 1;
                self.wrong += u64::from(order.expected != row.state);
            }
        }
        true
    }

    fn verdict(&self) -> Verdict {
        Verdict {
            rows: self.orders.len() as u64 - self.open + self.doubled,
            missing: self.open,
            doubled: self.doubled,
            wrong: self.wrong,
        }
    }

    fn latencies(&self) -> Vec<Duration> {
        self.orders
            .values()
            .filter_map(|order| order.took)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, state: State) -> Row {
        Row {
            id: id.to_owned(),
            state,
        }
    }

    #[test]
    fn one_order_in_ten_is_wrong_and_must_fail() {
        let wrong = (0..100).filter(|i| order(*i).1 == State::Failed).count();
        assert_eq!(wrong, 10);
        assert_eq!(order(10).0["price"], -1.0);
        assert_eq!(order(11).0["price"], 1.0);
    }

    #[test]
    fn every_order_is_decided_once_and_rightly_or_it_is_told() {
        let at = Instant::now();
        let mut tally = Tally::default();
        for id in ["a", "b", "c"] {
            tally.hand_in(id, State::Validated, at);
        }
        let later = at + Duration::from_millis(7);
        assert!(!tally.hear(&row("a", State::Created), later));
        assert!(tally.hear(&row("a", State::Validated), later));
        assert!(tally.hear(&row("a", State::Validated), later)); // again
        assert!(tally.hear(&row("b", State::Failed), later));
        assert!(!tally.hear(&row("of the warm-up", State::Failed), later));
        let found = Verdict {
            rows: 3,
            missing: 1,
            doubled: 1,
            wrong: 1,
        };
        assert_eq!(tally.verdict(), found);
        assert_eq!(tally.latencies(), [Duration::from_millis(7); 2]);
    }
}
