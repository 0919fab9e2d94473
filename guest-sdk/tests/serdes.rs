//! Topics of several formats meet in one service, and its closures do not know.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir::serdes::{Avro, BigEndian, Bytes, Json, Protobuf, Serde, Utf8};
use weir::testing::Driver;
use weir::{Response, Topology};

const ORDER: &str = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "product", "type": "string"}, {"name": "pieces", "type": "long"}]}"#;
const OLD_ORDER: &str = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "pieces", "type": "int"}, {"name": "product", "type": "string"},
    {"name": "gift", "type": "boolean"}]}"#;

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Order {
    #[prost(string, tag = "1")]
    product: String,
    #[prost(int64, tag = "2")]
    pieces: i64,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Stock {
    #[prost(int64, tag = "1")]
    pieces: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shipment {
    product: String,
    left: i64,
}

fn order(product: &str, pieces: i64) -> Order {
    let product = product.to_owned();
    Order { product, pieces }
}

/// Orders are Avro, the stock is Protobuf, shipments are JSON.
fn shop(t: &mut Topology) {
    t.value_serde::<Order>("orders", Avro::new(ORDER).id(7).reads(6, OLD_ORDER));
    t.value_serde::<Stock>("stock", Protobuf::new().id(9));
    t.value_serde::<i64>("left", Json);
    let stock = t.table::<String, Stock>("stock");
    let shipments = t
        .stream::<String, Order>("orders")
        .filter(|order| order.pieces > 0)
        .rekey("orders-by-product", |order| order.product.clone())
        .join(&stock, |order, stock| Shipment {
            product: order.product.clone(),
            left: stock.pieces - order.pieces,
        });
    shipments.to("shipments");
    shipments.map_values(|shipment| shipment.left).to("left");
}

fn bytes(driver: &mut Driver, topic: &str) -> Vec<String> {
    let rows = driver.topic::<String, Option<Vec<u8>>>(topic).read();
    let shown = |(_, value): (String, Option<Vec<u8>>)| match value {
        Some(value) => value.escape_ascii().to_string(),
        None => "null".to_owned(),
    };
    rows.into_iter().map(shown).collect()
}

fn reasons(driver: &mut Driver) -> Vec<String> {
    let letters = driver.dead_letters();
    letters.into_iter().map(|letter| letter.reason).collect()
}

fn refused(service: impl Fn(&mut Topology) + 'static) -> String {
    Driver::setup().start(service).err().unwrap()
}

#[test]
fn rows_flow_between_topics_of_three_formats() {
    let mut driver = Driver::new(shop);
    let stock = driver.topic::<String, Stock>("stock");
    stock.send("socks".to_owned(), Stock { pieces: 5 });
    let orders = driver.topic::<String, Order>("orders");
    orders.send("1".to_owned(), order("socks", 2));
    let orders = driver.topic::<String, Order>("orders");
    orders.send("2".to_owned(), order("socks", 0));
    assert_eq!(
        bytes(&mut driver, "shipments"),
        [r#"{\"product\":\"socks\",\"left\":3}"#]
    );
    assert_eq!(bytes(&mut driver, "left"), ["3"]);
    assert_eq!(
        bytes(&mut driver, "orders"),
        [
            r"\x00\x00\x00\x00\x07\nsocks\x04",
            r"\x00\x00\x00\x00\x07\nsocks\x00",
        ]
    );
    assert_eq!(
        bytes(&mut driver, "stock"),
        [r"\x00\x00\x00\x00\t\x00\x08\x05"]
    );
    assert_eq!(reasons(&mut driver), [""; 0]);
}

#[test]
fn a_row_of_an_older_schema_is_read_as_the_newer() {
    let mut driver = Driver::new(shop);
    let stock = driver.topic::<String, Stock>("stock");
    stock.send("socks".to_owned(), Stock { pieces: 5 });
    let orders = driver.topic::<String, Order>("orders");
    orders.send_bytes(Some(b"1"), Some(b"\0\0\0\0\x06\x06\x0asocks\x01"));
    assert_eq!(bytes(&mut driver, "left"), ["2"]);
}

#[test]
fn a_row_of_an_unknown_schema_says_what_to_add_and_its_neighbours_pass() {
    let mut driver = Driver::new(shop);
    let stock = driver.topic::<String, Stock>("stock");
    stock.send_bytes(Some(b"socks"), Some(b"\0\0\0\0\x0a\0\x08\x05"));
    let orders = driver.topic::<String, Order>("orders");
    orders.send_bytes(Some(b"1"), Some(b"\0\0\0\0\x08\x0asocks\x04"));
    let orders = driver.topic::<String, Order>("orders");
    orders.send_bytes(Some(b"2"), Some(br#"{"product":"socks","pieces":2}"#));
    let stock = driver.topic::<String, Stock>("stock");
    stock.send("socks".to_owned(), Stock { pieces: 5 });
    let orders = driver.topic::<String, Order>("orders");
    orders.send("3".to_owned(), order("socks", 1));
    assert_eq!(bytes(&mut driver, "left"), ["4"]);
    assert_eq!(
        reasons(&mut driver),
        [
            "topic `stock`: value: schema id 10 is none that this service knows (9); add \
             `.reads(10)`",
            "topic `orders`: value: schema id 8 is none that this service knows (7, 6); add \
         `.reads(8, …)`",
            "topic `orders`: value: begins with byte 123, and rows of a schema registry with 0; if \
         these have no registry, take away `.id(…)`",
        ]
    );
}

#[test]
fn one_topic_changes_its_format_and_the_closures_stay() {
    fn totals<S: Serde<Order>>(serde: impl Fn() -> S + 'static) -> Vec<(String, i64)> {
        let mut driver = Driver::setup()
            .start(move |t| {
                t.value_serde("orders", serde());
                t.stream::<String, Order>("orders")
                    .group_by("orders-by-product", |order| order.product.clone())
                    .aggregate("total", || 0_i64, |total, order| *total += order.pieces)
                    .to_stream()
                    .to("totals");
            })
            .unwrap();
        for pieces in [2, 3] {
            let orders = driver.topic::<String, Order>("orders");
            orders.send("1".to_owned(), order("socks", pieces));
        }
        driver.topic("totals").read()
    }

    let expected = [("socks".to_owned(), 2), ("socks".to_owned(), 5)];
    assert_eq!(totals(|| Json), expected);
    assert_eq!(totals(|| Avro::new(ORDER)), expected);
    assert_eq!(totals(|| Avro::new(ORDER).id(1)), expected);
    assert_eq!(totals(Protobuf::new), expected);
    assert_eq!(totals(|| Protobuf::new().id(1).message([2, 0])), expected);
}

#[test]
fn a_key_of_another_format_is_repartitioned_before_state() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.key_serde::<String>("clicks", Avro::new(r#""string""#).id(3));
        t.value_serde::<i64>("clicks", BigEndian);
        t.key_serde::<String>("counts", Avro::new(r#""string""#).id(3));
        t.stream::<String, i64>("clicks")
            .group()
            .count("counts")
            .to_stream()
            .to("counts");
    });
    for who in ["ada", "bob", "ada"] {
        driver.topic("clicks").send(who.to_owned(), 1_i64);
    }
    let mut counts = driver.topic::<String, i64>("counts").read();
    counts.sort();
    let count = |who: &str, count| (who.to_owned(), count);
    assert_eq!(counts, [count("ada", 1), count("ada", 2), count("bob", 1)]);
    let described = driver.describe();
    assert!(described.contains("-repartition"), "{described}");
    assert_eq!(
        driver.store::<String, i64>("counts"),
        [count("ada", 2), count("bob", 1)]
    );
}

#[test]
fn null_stays_null() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.value_serde::<Order>("orders", Avro::new(ORDER).id(7));
        t.value_serde::<Order>("kept", Protobuf::new());
        t.value_serde::<Order>("few", Protobuf::new());
        let orders = t.table::<String, Order>("orders");
        orders.changes().to("kept");
        orders
            .changes()
            .map_values(|order| order.clone().filter(|o| o.pieces < 3))
            .to("few");
    });
    let orders = |driver: &mut Driver, value| {
        driver
            .topic::<String, Option<Order>>("orders")
            .send("1".to_owned(), value);
    };
    orders(&mut driver, Some(order("socks", 3)));
    orders(&mut driver, None);
    let kept = driver.topic::<String, Option<Order>>("kept").read();
    assert_eq!(kept[0].1, Some(order("socks", 3)));
    assert_eq!(kept[1].1, None);
    assert_eq!(bytes(&mut driver, "few"), ["null", "null"]);
    assert!(driver.store::<String, Order>("orders").is_empty());
}

#[test]
fn a_stream_that_passes_a_null_on_need_not_have_one_in_its_type() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.value_serde::<Order>("orders", Avro::new(ORDER).id(7));
        t.value_serde::<Order>("copy", Protobuf::new());
        t.stream::<String, Order>("orders").to("copy");
        t.stream::<String, Order>("orders")
            .map_values(|order| order.pieces)
            .to("pieces");
    });
    driver
        .topic::<String, Order>("orders")
        .send_bytes(Some(b"1"), None);
    assert_eq!(bytes(&mut driver, "copy"), ["null"]);
    assert_eq!(
        reasons(&mut driver),
        ["value: null, and the type has no null; take `Option<…>`"]
    );
}

#[test]
fn rows_are_written_as_the_topic_has_them_that_a_closure_chose() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.value_serde::<Order>("big", Protobuf::new());
        t.stream::<String, Order>("orders")
            .to_with(&["big", "small"], |row| {
                if row.value.pieces > 9 { "big" } else { "small" }
            });
    });
    for pieces in [10, 1] {
        driver
            .topic("orders")
            .send("1".to_owned(), order("socks", pieces));
    }
    assert_eq!(bytes(&mut driver, "big"), [r"\n\x05socks\x10\n"]);
    assert_eq!(
        bytes(&mut driver, "small"),
        [r#"{\"product\":\"socks\",\"pieces\":1}"#]
    );
}

#[test]
fn a_command_appends_in_the_format_of_its_topic() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.value_serde::<Order>("orders", Avro::new(ORDER).id(7));
        let orders = t.topic::<String, Order>("orders");
        let customers = t.table::<String, String>("customers").store();
        t.post("/orders/{id}")
            .key_param("id")
            .stores(customers)
            .to(orders)
            .handle(move |ctx, request, _| {
                let id = request.param("id").to_owned();
                ctx.append(orders, &id, &order("socks", 2));
                Response::status(204)
            });
    });
    assert_eq!(driver.request("POST", "/orders/1", "").status(), 204);
    assert_eq!(
        bytes(&mut driver, "orders"),
        [r"\x00\x00\x00\x00\x07\nsocks\x04"]
    );
}

#[test]
fn the_plain_serdes_change_nothing() {
    let plain = Driver::new(|t: &mut Topology| t.stream::<String, i64>("a").to("b")).describe();
    let named = Driver::new(|t: &mut Topology| {
        t.key_serde::<String>("a", Utf8);
        t.value_serde::<i64>("a", BigEndian);
        t.value_serde::<Vec<u8>>("c", Bytes);
        t.stream::<String, i64>("a").to("b");
    });
    assert_eq!(named.describe(), plain);
}

#[test]
fn mistakes_are_told_when_the_service_is_loaded() {
    let mistakes = refused(|t| {
        t.value_serde::<Order>("a", Avro::new("{"));
        t.value_serde::<Order>("b", Avro::new(ORDER).reads(6, OLD_ORDER));
        t.stream::<String, Order>("c");
        t.value_serde::<Order>("c", Json);
        t.value_serde::<Order>("d", Json);
        t.stream::<String, Stock>("d");
        t.value_serde::<Order>("e", Json);
        t.value_serde::<Order>("e", Protobuf::new());
        t.global_table::<String, Order>("e");
        t.table_with_history::<String, Order>("e", Duration::from_secs(1));
    });
    let mistakes: Vec<&str> = mistakes.split("; topic ").collect();
    assert!(
        mistakes[0].starts_with("topic `a`: value: no Avro schema: "),
        "{mistakes:?}"
    );
    assert_eq!(
        mistakes[1..],
        [
            "`b`: value: plain Avro has one schema; say by `.id(…)` which of them is written",
            "`c`: value: its serde comes too late; declare it before the topic is read or written",
            "`d`: value: its serde is one of `serdes::Order`, and here it is `serdes::Stock`; take \
         one type for both",
            "`e`: value: has two serdes; declare one",
            "`e`: a global table has no serde; write the topic anew in the plain format, or join a \
         table",
            "`e`: a table with history has no serde; write the topic anew in the plain format, or \
             join a table",
        ]
    );
}
