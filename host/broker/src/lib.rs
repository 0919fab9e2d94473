//! An embedded broker that speaks Kafka's protocol: one node, for `weir dev`, the demo and tests.
//!
//! It is a broker to develop on, not one to run a business on: no copies, no security, one machine.
//! What a client can see is Apache Kafka's behaviour: idempotent and transactional producers,
//! readers of committed records, classic consumer groups, compaction, retention. Where one node
//! makes things simpler, it is simpler: the end of a transaction is one atomic write.
//!
//! From the ground up: `log` is a partition, `group` a consumer group, `txn` a transactional
//! producer, all three pure state machines; `storage` makes changes durable; `state` holds
//! everything under one lock; `protocol` answers requests, a file for each family; `server` is the
//! door. Nothing is told to a client before it is stored.

mod broker;
mod code;
mod config;
mod error;
mod group;
mod housekeeping;
mod log;
mod protocol;
mod server;
mod state;
mod storage;
mod topic;
mod txn;

pub use self::broker::Broker;
pub use self::config::{Config, Delays, Settings, Storage};
pub use self::error::Error;
