//! The door to RocksDB: what services have committed.
//!
//! A host has one [`Memory`] for all its databases, a service one [`Database`] in a folder of its
//! own, a store one column family in it, and a task the keys that begin with its partition. Writes
//! come from workers, a transaction at a time, each in one atomic batch with the changelog offsets
//! that it brings; readers on other threads see whole transactions only.
//!
//! Nothing waits for the disk: what a power cut takes is restored from the changelog, from the
//! offset that was kept with it.

mod backend;
mod database;
mod error;
mod family;
mod memory;
mod view;

pub use backend::TaskState;
pub use database::Database;
pub use error::Error;
pub use memory::{Memory, MemorySettings};
pub use view::View;

/// The partition under which a global table is kept, whole.
pub const GLOBAL: u32 = u32::MAX - 1;
