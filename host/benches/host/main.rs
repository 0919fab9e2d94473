//! Micro benchmarks of the border to Wasm and of committed state: `cargo bench -p weir [FILTER]`,
//! after `cargo xtask guests`.
//!
//! Compare commits by instructions, as with the engine's (`core/benches/core`).

mod boundary;
#[path = "../../core/benches/core/random.rs"]
mod random;
mod state;

fn main() {
    divan::main();
}
