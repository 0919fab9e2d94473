//! Micro benchmarks of the border to Wasm and of committed state, after `cargo xtask guests`:
//! `cargo bench -p weir --profile dev [FILTER]`, since each other profile compiles RocksDB anew.
//!
//! Compare commits by instructions, as with the engine's (`core/benches/core`).

mod boundary;
#[path = "../../core/benches/core/random.rs"]
mod random;
mod state;

fn main() {
    divan::main();
}
