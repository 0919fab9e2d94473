//! The order ecosystem as a test sees it: topics, stock, customers, orders, and what was decided.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::client::{Client, Writer};
use crate::row::{NewRow, Row};
use crate::{Broker, Weir, paths, wait};

/// The six services.
pub const SERVICES: [&str; 6] = [
    "orders",
    "order-details",
    "inventory",
    "fraud",
    "validations",
    "email",
];

/// The topics that they declare, without the internal ones.
pub const TOPICS: [&str; 12] = [
    "orders",
    "order-validations",
    "warehouse-inventory",
    "payments",
    "customers",
    "orders-enriched",
    "platinum",
    "gold",
    "silver",
    "bronze",
    "fraud-alerts",
    "email-outbox",
];

/// A broker with the topics, and the hosts on it.
pub struct Ecosystem {
    /// First, so that hosts are dropped before their broker.
    pub hosts: Vec<Weir>,
    /// The broker.
    pub broker: Broker,
    /// A plain client of it.
    pub client: Client,
    writer: Writer,
}

impl Ecosystem {
    /// A broker with the topics, 4 partitions each, and no host.
    #[track_caller]
    pub fn prepare() -> Self {
        Self::on(Broker::start())
    }

    /// The same on this broker.
    #[track_caller]
    pub fn on(broker: Broker) -> Self {
        let client = broker.client();
        for topic in TOPICS {
            client.create_topic(topic, 4, &[]);
        }
        let writer = client.writer();
        Self {
            hosts: Vec::new(),
            broker,
            client,
            writer,
        }
    }

    /// Returns when all that was written so far is acknowledged by the broker.
    #[track_caller]
    pub fn flush(&self) {
        self.writer.flush();
    }

    /// With one host that runs all six services.
    #[track_caller]
    pub fn start() -> Self {
        let mut ecosystem = Self::prepare();
        ecosystem.host(&SERVICES);
        ecosystem
    }

    /// One more host, with these services; returns when it is ready.
    #[track_caller]
    pub fn host(&mut self, services: &[&str]) -> &mut Weir {
        self.flush();
        let name = format!("host-{}", self.hosts.len());
        let host = Weir::host(&name, &self.broker.bootstrap());
        let components = host.folder().join("components");
        install(&components, services);
        let host = host.arg("--components").arg(&components).start();
        self.hosts.push(host);
        self.hosts.last_mut().expect("it was just pushed")
    }

    /// Sets the level of a product.
    pub fn stock(&self, product: &str, level: i32) {
        let row = NewRow::new(product, level.to_be_bytes());
        self.writer.send("warehouse-inventory", &row);
        self.writer.flush();
    }

    /// Writes a customer.
    pub fn customer(&self, id: i64, level: &str) {
        let customer = json!({
            "id": id, "firstName": "Franz", "lastName": "Kafka", "email": "franz@example.org",
            "address": "Prague", "level": level,
        });
        self.writer
            .send("customers", &NewRow::json(id.to_be_bytes(), &customer));
    }

    /// Writes a payment of an order.
    pub fn payment(&self, order: &str) {
        let id = format!("payment-{order}");
        let payment = json!({"id": id, "orderId": order, "ccy": "CZK", "amount": 1000.0});
        self.writer.send("payments", &NewRow::json(id, &payment));
    }

    /// Writes a row to `orders`, as a plain client does.
    pub fn produce_order(&self, order: &Value) {
        let id = order["id"].as_str().expect("an order has an id").to_owned();
        self.writer.send("orders", &NewRow::json(id, order));
    }

    /// Posts an order to the first host; panics unless the answer is 201.
    #[track_caller]
    pub fn post(&self, order: &Value) {
        self.hosts[0].post("/v1/orders", order).expect(201);
    }

    /// Waits for the order's decision, by HTTP.
    #[track_caller]
    pub fn decision(&self, id: &str) -> String {
        let path = format!("/v1/orders/{id}/validated?timeout=60000");
        let order = self.hosts[0].get(&path).expect(200).json();
        order["state"]
            .as_str()
            .expect("an order has a state")
            .to_owned()
    }

    /// The answers of one check, as "order RESULT", in the order of ids; waits until there are
    /// `count` of them.
    #[track_caller]
    pub fn answers(&self, check: &str, count: usize) -> Vec<String> {
        let of_check = |row: &&Row| row.json()["checkType"] == check;
        let rows = self.client.read_until("order-validations", |rows| {
            rows.iter().filter(of_check).count() >= count
        });
        let mut answers: Vec<_> = rows
            .iter()
            .filter(of_check)
            .map(|row| {
                let answer = row.json();
                let text = |field: &str| answer[field].as_str().unwrap_or("?").to_owned();
                format!("{} {}", text("orderId"), text("validationResult"))
            })
            .collect();
        answers.sort();
        answers
    }

    /// All rows of `orders` that decide the order of this id, as states.
    pub fn decisions(&self, id: &str) -> Vec<String> {
        let rows = self.client.read("orders");
        rows.iter()
            .filter(|row| row.key.as_deref() == Some(id.as_bytes()))
            .map(|row| row.json()["state"].as_str().unwrap_or("?").to_owned())
            .filter(|state| state != "CREATED")
            .collect()
    }

    /// What a store of string keys and u32 values holds, by its changelog: the last value of each
    /// key that is not 0.
    pub fn numbers(&self, changelog: &str) -> std::collections::BTreeMap<String, u32> {
        let mut numbers = std::collections::BTreeMap::new();
        for row in self.client.read(changelog) {
            let number = row
                .value
                .as_deref()
                .map(|bytes| u32::from_be_bytes(bytes.try_into().expect("a u32 is four bytes")));
            numbers.insert(row.key_text().to_owned(), number.unwrap_or(0));
        }
        numbers.retain(|_, number| *number != 0);
        numbers
    }

    /// Waits until every service has read all that is in its input topics and committed it.
    #[track_caller]
    pub fn settle(&self, service: &str, topic: &str) {
        self.flush();
        let rows = self.client.read(topic);
        wait::until(&format!("{service} has read {topic}"), || {
            let committed = self.client.committed(service, topic);
            let behind = rows.iter().any(|row| {
                committed[row.partition as usize].is_none_or(|offset| offset <= row.offset)
            });
            (!behind).then_some(())
        });
    }
}

/// Copies the components of these services into a folder.
#[track_caller]
pub fn install(folder: &PathBuf, services: &[&str]) {
    std::fs::create_dir_all(folder).expect("a folder for components");
    for service in services {
        let from = paths::component(service);
        let to = folder.join(format!("{service}.wasm"));
        if let Err(error) = std::fs::copy(&from, &to) {
            panic!(
                "no component {} ({error}): run `cargo xtask guests`",
                from.display()
            );
        }
    }
}

/// An order that is just created.
pub fn order(id: &str, customer: i64, product: &str, quantity: i64, price: f64) -> Value {
    json!({
        "id": id, "customerId": customer, "state": "CREATED", "product": product,
        "quantity": quantity, "price": price,
    })
}

/// An id that no other order of this process has.
pub fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("order-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
