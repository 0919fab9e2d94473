//! Topics with formats of their own, through a real component and real topics. The bytes here are
//! written out by hand, as the specifications of Avro, Protobuf and the registries' envelope have
//! them.
#![expect(clippy::unwrap_used, reason = "tests")]

use weir_tests::row::{NewRow, Row};
use weir_tests::{Broker, Weir, paths};

/// A zero, and the schema's id: what a registry's serializers put before a row.
fn envelope(id: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, id]
}

/// A sale in Avro: a length and text, and the pieces where the schema has them. Small numbers are
/// one byte, twice their size.
fn avro(schema: u8, product: &str, pieces: Option<u8>) -> Vec<u8> {
    let mut bytes = envelope(schema);
    bytes.push(2 * u8::try_from(product.len()).unwrap());
    bytes.extend(product.as_bytes());
    bytes.extend(pieces.map(|pieces| 2 * pieces));
    bytes
}

/// A sale in Protobuf: the first message of its schema; field 1 a text, field 2 a number.
fn protobuf(schema: u8, product: &str, pieces: u8) -> Vec<u8> {
    let mut bytes = envelope(schema);
    bytes.extend([0, 0x0a, u8::try_from(product.len()).unwrap()]);
    bytes.extend(product.as_bytes());
    bytes.extend([0x10, pieces]);
    bytes
}

fn values(rows: &[Row]) -> Vec<Vec<u8>> {
    rows.iter().map(|row| row.value.clone().unwrap()).collect()
}

#[test]
fn each_topic_has_its_format_and_a_row_of_another_schema_is_a_dead_letter() {
    let broker = Broker::start();
    let client = broker.client();
    client.create_topics(&["sales-avro", "sales-protobuf", "sales-json", "sold"]);
    let config = format!(
        "[services.sales]\ncomponent = {:?}\n",
        paths::component("sales").display().to_string()
    );
    let host = Weir::host("host", &broker.bootstrap())
        .args(["--config", "weir.toml"])
        .file("weir.toml", config)
        .start();

    let unknown = avro(9, "ties", Some(1));
    client.produce(
        "sales-avro",
        [
            NewRow::new("till", avro(8, "socks", Some(3))),
            NewRow::new("till", unknown.clone()),
            NewRow::new("till", avro(7, "socks", None)),
        ],
    );

    let written = client.read_until("sales-protobuf", |rows| rows.len() >= 2);
    let expected = [protobuf(12, "socks", 3), protobuf(12, "socks", 1)];
    assert_eq!(values(&written), expected);
    let written = client.read_until("sales-json", |rows| rows.len() >= 2);
    let expected = [("socks", 3), ("socks", 1)];
    let expected =
        expected.map(|(product, pieces)| serde_json::json!({"product": product, "pieces": pieces}));
    let written: Vec<_> = written.iter().map(Row::json).collect();
    assert_eq!(written, expected, "what schema 7 lacks has its default");
    let sold = client.read_until("sold", |rows| {
        rows.last().and_then(|row| row.value.as_deref()) == Some(&4_i64.to_be_bytes())
    });
    assert_eq!(sold.last().unwrap().key_text(), "socks");

    let letters = client.read_until("sales.dead-letters", |rows| !rows.is_empty());
    assert_eq!(values(&letters), [unknown], "the row as it was");
    let reason = letters[0].header("reason").unwrap();
    assert!(
        reason.contains("sales-avro") && reason.contains('9') && reason.contains(".reads(9, "),
        "{reason}"
    );
    host.get("/readyz").expect(200);
}
