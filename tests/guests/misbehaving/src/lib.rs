//! A guest that does on demand all that a guest can do wrong: written against `wit/` itself,
//! without the SDK.
//!
//! Functions are numbers below; what a function does wrong it does at the row whose value names it,
//! so that a test can put a bad row among good ones. Empty but on WebAssembly.

#[cfg(target_arch = "wasm32")]
mod guest;
