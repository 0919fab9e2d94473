//! Tests of a service without Wasm and without Kafka: the driver.
//!
//! [`Driver`] runs the service on the real engine, with time, topics, transactions and crashes in
//! the test's hands.
//!
//! ```
//! use weir::Topology;
//! use weir::testing::Driver;
//!
//! fn shout(t: &mut Topology) {
//!     t.stream::<String, String>("words")
//!         .map_values(|word| word.to_uppercase())
//!         .to("shouts");
//! }
//!
//! let mut driver = Driver::new(shout);
//! driver.topic("words").send("ada".to_owned(), "hello".to_owned());
//! let shouts = driver.topic::<String, String>("shouts").read();
//! assert_eq!(shouts, [("ada".to_owned(), "HELLO".to_owned())]);
//! ```

mod driver;
mod topic;

pub use driver::{Answer, Driver, Setup};
pub use topic::{Received, Topic};
pub use weir_core::task::DeadLetter;
