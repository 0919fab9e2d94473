//! The allocator of a component: a guest has one thread, and spends much of its time with the keys
//! and values of rows, so one that is quick with small blocks pays off.

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();
