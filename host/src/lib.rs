//! The weir host: everything of the daemon that is not the pure engine.
//!
//! Adapters ([`http`], [`kafka`], [`state`], [`wasm`]) each hold one heavy dependency and never
//! import each other; the [`runtime`] puts them together, the [`daemon`] gives it components, the
//! command line ([`cli`]) starts it.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod folder;
pub mod runtime;

pub mod http;
pub mod kafka;
pub mod state;
pub mod wasm;

pub mod bench;
pub mod demo;
pub mod dev;
pub mod inspect;
