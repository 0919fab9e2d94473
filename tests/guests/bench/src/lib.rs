//! The topologies of `weir bench`: which one runs, and on which topics, is configuration.
//!
//! Keys and values are bytes as they come. The topologies are those of the Kafka Streams
//! applications that weir is measured against.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir::{Context, TimeWindows, Topology};

type Bytes = Vec<u8>;

/// Declares the workload that is configured.
#[weir::service]
pub fn bench(t: &mut Topology) {
    let workload: String = t.config_or("workload", "passthrough".to_owned());
    let input: String = t.config_or("in", "in".to_owned());
    let output: String = t.config_or("out", "out".to_owned());
    let table: String = t.config_or("table", "table".to_owned());
    if workload == "map" {
        t.stream::<Bytes, Line>(&input)
            .map_values(Line::priced)
            .to(&output);
        return;
    }
    let rows = t.stream::<Bytes, Bytes>(&input);
    match workload.as_str() {
        "passthrough" => rows.map_values(Clone::clone).to(&output),
        "count" | "count-cached" => rows.group().count("counts").to_stream().to(&output),
        // A count whose state also holds the last value: for a large state. The output is the
        // count.
        "latest" => rows
            .group()
            .aggregate("latest", || vec![0; 8], remember)
            .to_stream()
            .map_values(|state| count_of(state))
            .to(&output),
        "join" => {
            let table = t.table::<Bytes, Bytes>(&table);
            rows.join(&table, |left, right| {
                [left.as_slice(), right.as_slice()].concat()
            })
            .to(&output);
        }
        "window" => rows
            .group()
            .windowed(TimeWindows::tumbling(Duration::from_secs(60)))
            .count("windows")
            .to_stream()
            .to(&output),
        // The last two for the micro benchmarks of the border alone.
        "update" => rows
            .update("last", |last: &mut Option<Bytes>, row, out| {
                *last = Some(row.value.clone());
                out.forward(row.key, row.value);
            })
            .to(&output),
        "process" => {
            let last = t.store::<Bytes, Bytes>("last");
            rows.process("last", last, |context: &mut Context<_, _>, row, last| {
                let before = context.get(last, row.key);
                context.put(last, row.key, row.value);
                context.forward(row.key, before.as_ref().unwrap_or(row.value));
            })
            .to(&output);
        }
        other => t.refuse(format!(
            "workload `{other}`: give passthrough, map, count, count-cached, latest, join, window, \
             update or process"
        )),
    }
}

fn remember(state: &mut Bytes, value: &Bytes) {
    let count = count_of(state) + 1;
    state.clear();
    state.extend_from_slice(&count.to_be_bytes());
    state.extend_from_slice(value);
}

fn count_of(state: &[u8]) -> i64 {
    state
        .first_chunk()
        .map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// A line of an order.
#[derive(Deserialize, Serialize)]
struct Line {
    id: u64,
    customer: u64,
    product: String,
    quantity: u64,
    price_cents: u64,
    note: String,
}

/// The line with what it costs.
#[derive(Deserialize, Serialize)]
struct Priced {
    id: u64,
    customer: u64,
    product: String,
    total_cents: u64,
    note: String,
}

impl Line {
    fn priced(&self) -> Priced {
        Priced {
            id: self.id,
            customer: self.customer,
            product: self.product.clone(),
            total_cents: self.quantity * self.price_cents,
            note: self.note.clone(),
        }
    }
}
