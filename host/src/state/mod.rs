//! The door to RocksDB.
