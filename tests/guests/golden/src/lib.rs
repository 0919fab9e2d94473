//! A guest that is any golden case: written against `wit/` itself, so that the contract is proved
//! with the engine's own closures on the far side. Empty but on WebAssembly.

#[cfg(target_arch = "wasm32")]
mod describe;
#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(target_arch = "wasm32")]
mod records;
