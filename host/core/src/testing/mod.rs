//! The driver: the real engine with time, topics and transactions in a test's hands.
//!
//! Like Kafka Streams' TopologyTestDriver, but with several partitions, commits and crashes. Rows
//! that are sent run through until everything stands still; each round is one transaction, unless
//! the test holds commits back.

mod driver;
mod functions;
mod requests;
mod shared;
mod topics;

pub use driver::Driver;
pub use functions::{Closures, Made, RowView, Value};
pub use topics::{Input, Row};
