//! What a row costs at the Wasm boundary: `cargo run -p weir --example boundary -- FILE.wasm`.
//!
//! The file is tests/guests/misbehaving, whose `transform` 0 gives the rows back. Keys of 7 bytes,
//! values of 100.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use anyhow::Context as _;
use weir_core::functions::{FunctionId, Functions as _};
use weir_core::record::Batch;
use weir_host::wasm::{Engine, EngineOptions, Limits};

const ROWS: usize = 2_000_000;

fn main() -> anyhow::Result<()> {
    let path = std::env::args()
        .nth(1)
        .context("give the file of a component")?;
    let bytes = std::fs::read(&path).context(path)?;
    let engine = Engine::new(&EngineOptions::default())?;
    let mut out = std::io::stdout().lock();
    for fuel in [None, Some(u64::MAX / 2)] {
        let limits = Limits {
            fuel,
            ..Limits::default()
        };
        let begun = Instant::now();
        let component = engine.load(&bytes, &limits)?;
        let fuelled = fuel.map_or("no fuel", |_| "fuel");
        writeln!(out, "{fuelled}: loaded in {:?}", begun.elapsed())?;
        let mut guest = component.instance("boundary", &BTreeMap::new());
        for size in [1, 10, 100, 256, 1024] {
            let batch = rows(size);
            let rounds = (ROWS / size).min(300_000);
            guest.transform(FunctionId(0), &batch)?;
            let begun = Instant::now();
            for _ in 0..rounds {
                guest.transform(FunctionId(0), &batch)?;
            }
            let each = begun.elapsed().as_nanos() / (rounds * size) as u128;
            writeln!(out, "{fuelled}: batches of {size}: {each} ns a row")?;
        }
    }
    Ok(())
}

fn rows(size: usize) -> Batch {
    let mut batch = Batch::default();
    for row in 0..size {
        batch.push(Some(format!("{row:07}").as_bytes()), Some(&[b'x'; 100]), 0);
    }
    batch
}
