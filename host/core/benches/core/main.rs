//! Micro benchmarks of the engine: `cargo bench -p weir-core [FILTER]`.
//!
//! Times on a busy machine say little, so compare commits by instructions: run the bench's binary
//! under callgrind with `--sample-count 1 --sample-size 1`, collecting only the function of
//! interest (`--toggle-collect`).

mod batches;
mod functions;
mod murmur2;
mod overlay;
mod partition_group;
mod random;
mod service;
mod tasks;

fn main() {
    divan::main();
}
