//! The weir engine: topologies, tasks, operators and stores, with no I/O of its own.
//!
//! Rows come in as batches, effects leave as values; the world is reached through two ports:
//! [`functions::Functions`], behind which a guest stands, and [`store::Backend`], behind which
//! committed state stands. Nothing here reads a clock, starts a thread or knows Kafka, RocksDB or
//! wasmtime.

pub mod codec;
pub mod functions;
pub mod limits;
mod operator;
pub mod partitioner;
mod pass;
pub mod query;
pub mod record;
pub mod restore;
pub mod store;
pub mod task;
pub mod testing;
pub mod time;
pub mod topology;
