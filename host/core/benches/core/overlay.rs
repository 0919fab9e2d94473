//! The overlay: writes and look-ups between two commits, and what a commit makes of them.

use divan::Bencher;
use divan::counter::ItemsCount;
use weir_core::record::Column;
use weir_core::store::{LAST_PLACE, MemoryBackend, Overlay, StoreId};

use crate::random::{Random, key};

const STORE: StoreId = StoreId(0);
/// Writes in a transaction.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// What the keys are chosen from, so that most are distinct.
const KEYS: u64 = 1_000_000;

fn keys(size: usize) -> Column {
    let mut random = Random(3);
    let mut keys = Column::default();
    for _ in 0..size {
        keys.push(Some(&key(random.below(KEYS))));
    }
    keys
}

fn empty() -> Overlay {
    Overlay::new(Box::new(MemoryBackend::new()), &[false])
}

fn put_all(overlay: &mut Overlay, keys: &Column) {
    for key in keys.iter().flatten() {
        overlay.put(STORE, LAST_PLACE, key, Some(&[1; 8]), 0);
    }
}

/// Keys that were not written before, but for a few.
#[divan::bench(args = SIZES)]
fn put(bencher: Bencher<'_, '_>, size: usize) {
    let keys = keys(size);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(empty)
        .bench_local_values(|mut overlay| {
            put_all(&mut overlay, &keys);
            overlay
        });
}

/// Keys that were all written.
#[divan::bench(args = SIZES)]
fn get_many(bencher: Bencher<'_, '_>, size: usize) {
    let keys = keys(size);
    let mut overlay = empty();
    put_all(&mut overlay, &keys);
    bencher
        .counter(ItemsCount::new(size))
        .bench_local(|| overlay.get_many(STORE, &keys).expect("in memory"));
}

/// The writes in the order of keys, for the changelog and the backend.
#[divan::bench(args = SIZES)]
fn prepare(bencher: Bencher<'_, '_>, size: usize) {
    let keys = keys(size);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let mut overlay = empty();
            put_all(&mut overlay, &keys);
            overlay
        })
        .bench_local_values(|mut overlay| {
            overlay.prepare();
            overlay
        });
}
