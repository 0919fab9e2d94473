//! The door to Kafka, against a real broker: the embedded one or Apache Kafka, by
//! `WEIR_TEST_BROKER`.

mod membership;
mod reading;
mod speed;
mod topics;
mod transactions;

mod worker;
