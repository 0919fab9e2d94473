//! The Wasm host: loads components and calls their functions.
//!
//! [`Engine`] compiles, [`Component`] is one version of a service that was checked, [`Instance`] is
//! the [`weir_core::functions::Functions`] of one thread. Everything that a guest can spend has a
//! limit in [`Limits`]; whatever it does wrong is a [`weir_core::functions::Failure`], never a
//! panic. The only door to wasmtime.

mod component;
mod engine;
mod instance;

mod limits;
mod load_error;

mod bindings;
mod cache;
mod convert;
mod data;
mod describe;
mod failure;
mod lend;
mod linker;
mod log;
mod meter;
mod room;

pub use component::{Component, DescribeError, Digest, componentize};
pub use engine::{Engine, EngineError};
pub use instance::Instance;
pub use limits::{EngineOptions, Limits};
pub use load_error::LoadError;
