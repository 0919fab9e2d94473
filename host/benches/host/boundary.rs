//! The border: a call of each kind of function, in a guest of the Rust SDK whose closures do next
//! to nothing. Rows have a key of 16 bytes and a value of 100. What a call answers is dropped in
//! it: divan would keep all answers of a sample, each in memory that was never used before.

use std::collections::BTreeMap;

use divan::Bencher;
use divan::counter::ItemsCount;
use weir_core::functions::{FunctionId, Functions, State, StateError, Step, Steps};
use weir_core::record::{Batch, Column};
use weir_host::wasm::{Engine, EngineOptions, Instance, Limits};
use weir_tests::paths;

use crate::random::{Random, SIZES, rows};

/// Each workload has one function, or this is its first.
const FUNCTION: FunctionId = FunctionId(0);
/// Keys of the rows: one in eight is there twice in a batch of 256.
const KEYS: u64 = 1_000;

/// The guest of the benchmarks, as `workload` of it says.
fn guest(workload: &str) -> Instance {
    let bytes = std::fs::read(paths::component("bench")).expect("it was built");
    let engine = Engine::new(&EngineOptions::default()).expect("this machine runs Wasm");
    let component = engine.load(&bytes, &Limits::default()).expect("it is ours");
    let config = BTreeMap::from([("workload".to_owned(), workload.to_owned())]);
    component.instance(workload, &config)
}

fn batch(size: usize) -> Batch {
    rows(&mut Random(1), size, KEYS, |_| 0)
}

fn numbers(size: usize) -> Vec<u32> {
    (0..).take(size).collect()
}

/// `map_values` with the value as it is.
#[divan::bench(args = SIZES)]
fn transform(bencher: Bencher<'_, '_>, size: usize) {
    let (mut guest, batch) = (guest("passthrough"), batch(size));
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let output = guest.transform(FUNCTION, &batch).expect("no row fails");
        assert_eq!(output.rows.len(), size);
    });
}

/// `join`: both values, one after the other.
#[divan::bench(args = SIZES)]
fn combine(bencher: Bencher<'_, '_>, size: usize) {
    let (mut guest, batch) = (guest("join"), batch(size));
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let (keys, values) = (&batch.keys, &batch.values);
        let combined = guest.combine(FUNCTION, keys, values, values);
        assert_eq!(combined.expect("no row fails").values.len(), size);
    });
}

/// `aggregate`: a count and the last value, each row on a state of its own.
#[divan::bench(args = SIZES)]
fn fold(bencher: Bencher<'_, '_>, size: usize) {
    let (mut guest, batch) = (guest("latest"), batch(size));
    let steps = Steps {
        kinds: vec![Step::Add; size],
        left: numbers(size),
        right: vec![0; size],
        rows: numbers(size),
    };
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let folded = guest.fold(FUNCTION, &batch, &steps, &batch.values);
        let folded = folded.expect("no row fails");
        assert_eq!(folded.states.len(), size);
    });
}

/// `update`: the last value is the state, and goes on.
#[divan::bench(args = SIZES)]
fn update(bencher: Bencher<'_, '_>, size: usize) {
    let (mut guest, batch) = (guest("update"), batch(size));
    let groups = numbers(size);
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let updated = guest.update(FUNCTION, &batch, &groups, &batch.values);
        assert_eq!(updated.expect("no row fails").states.len(), size);
    });
}

/// `process`: reads and writes a store for each row, one call of the host each.
#[divan::bench(args = SIZES)]
fn process(bencher: Bencher<'_, '_>, size: usize) {
    let (mut guest, batch) = (guest("process"), batch(size));
    let times = vec![0; size];
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let output = guest.process(FUNCTION, &batch, &times, &mut Empty);
        assert_eq!(output.expect("no row fails").rows.len(), size);
    });
}

/// A store that never has anything.
struct Empty;

impl State for Empty {
    fn get_many(&mut self, _: u32, _: u32, keys: &Column) -> Result<Column, StateError> {
        Ok(Column::nulls(keys.len()))
    }

    fn put(&mut self, _: u32, _: u32, _: &[u8], _: Option<&[u8]>) -> Result<(), StateError> {
        Ok(())
    }

    fn range(
        &mut self,
        _: u32,
        _: u32,
        _: Option<&[u8]>,
        _: Option<&[u8]>,
        _: u32,
    ) -> Result<(Column, Column), StateError> {
        Ok((Column::default(), Column::default()))
    }
}
