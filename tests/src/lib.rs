//! What the stories of the whole system are told with: brokers, hosts, a plain Kafka client and a
//! plain HTTP client.
//!
//! Nothing in here is a double: a broker is the embedded one or Apache Kafka (`WEIR_TEST_BROKER`),
//! a host is the `weir` program, and the clients know nothing of weir. A helper that cannot do what
//! it is asked panics with a message that names what it was doing, so that stories stay free of
//! error handling.

pub mod broker;
pub mod client;
pub mod http;
pub mod orders;
pub mod random;
pub mod row;
pub mod weir;

pub mod apache_kafka;
pub mod child;
pub mod paths;
pub mod ports;
pub mod tidy;
pub mod wait;

pub use broker::Broker;
pub use client::Client;
pub use row::Row;
pub use weir::Weir;
