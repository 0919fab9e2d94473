//! What a row costs in each format: nanoseconds to write and to read an order, and its bytes.
//!
//! `cargo run -p weir-sdk --example serdes --features avro,protobuf`

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::hint::black_box;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use weir::serdes::{Avro, Json, Malformed, Protobuf, Serde};

const ROWS: u32 = 200_000;

const ORDER: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "string"}, {"name": "customer_id", "type": "long"},
    {"name": "state", "type": "string"}, {"name": "product", "type": "string"},
    {"name": "quantity", "type": "int"}, {"name": "price", "type": "double"}]}"#;

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Order {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int64, tag = "2")]
    customer_id: i64,
    #[prost(string, tag = "3")]
    state: String,
    #[prost(string, tag = "4")]
    product: String,
    #[prost(int32, tag = "5")]
    quantity: i32,
    #[prost(double, tag = "6")]
    price: f64,
}

fn main() -> Result<(), Malformed> {
    println!(
        "{:<10}{:>10}{:>10}{:>10}",
        "format", "write ns", "read ns", "bytes"
    );
    measure("JSON", &Json)?;
    measure("Avro", &Avro::new(ORDER).id(7))?;
    measure("Protobuf", &Protobuf::new().id(7))
}

fn measure(name: &str, serde: &impl Serde<Order>) -> Result<(), Malformed> {
    let order = Order {
        id: "5f2c6e0a-1b7d-4f7e-9a43-0c3b8e9d1a55".to_owned(),
        customer_id: 15,
        state: "CREATED".to_owned(),
        product: "UNDERPANTS".to_owned(),
        quantity: 3,
        price: 5.25,
    };
    let mut bytes = Vec::new();
    let began = Instant::now();
    for _ in 0..ROWS {
        bytes.clear();
        serde.write(black_box(&order), &mut bytes)?;
    }
    let write = began.elapsed() / ROWS;
    let began = Instant::now();
    for _ in 0..ROWS {
        black_box(serde.read(black_box(&bytes))?);
    }
    let read = began.elapsed() / ROWS;
    println!(
        "{name:<10}{:>10}{:>10}{:>10}",
        write.as_nanos(),
        read.as_nanos(),
        bytes.len()
    );
    Ok(())
}
