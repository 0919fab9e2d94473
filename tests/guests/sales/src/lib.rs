//! A service whose topics have formats of their own: sales come in as Avro under two schemas of a
//! registry, and leave as Protobuf and JSON; what was sold of a product is a big-endian integer.

use serde::{Deserialize, Serialize};
use weir::Topology;
use weir::serdes::{Avro, BigEndian, Json, Protobuf};

const V1: &str = r#"{"type": "record", "name": "Sale", "fields": [
    {"name": "product", "type": "string"}]}"#;
const V2: &str = r#"{"type": "record", "name": "Sale", "fields": [
    {"name": "product", "type": "string"}, {"name": "pieces", "type": "long", "default": 1}]}"#;

/// A sale, as all of the topics have it.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub struct Sale {
    /// What was sold.
    #[prost(string, tag = "1")]
    pub product: String,
    /// How many of it.
    #[prost(int64, tag = "2")]
    pub pieces: i64,
}

/// Declares the service.
#[weir::service]
pub fn sales(t: &mut Topology) {
    t.value_serde::<Sale>("sales-avro", Avro::new(V2).id(8).reads(7, V1));
    t.value_serde::<Sale>("sales-protobuf", Protobuf::new().id(12));
    t.value_serde::<Sale>("sales-json", Json);
    t.value_serde::<i64>("sold", BigEndian);

    let sales = t.stream::<String, Sale>("sales-avro");
    sales.to("sales-protobuf");
    sales.to("sales-json");
    sales
        .group_by("by-product", |sale| sale.product.clone())
        .aggregate("sold", || 0_i64, |sum, sale| *sum += sale.pieces)
        .to_stream()
        .to("sold");
}
