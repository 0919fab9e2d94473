//! The weir host: everything of the daemon that is not the pure engine.
//!
//! Adapters ([`http`] among them) each hold one heavy dependency and never import each other; the runtime puts them
//! together, the command line starts it.

// pub mod cli;
pub mod config;
pub mod http;
pub mod kafka;
pub mod runtime;
pub mod state;
pub mod wasm;
