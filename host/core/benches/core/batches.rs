//! Columns and batches: built row by row, selected, cut.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use weir_core::record::Batch;

use crate::random::{Random, SIZES, rows};

fn batch(size: usize) -> Batch {
    rows(&mut Random(1), size, 1_000_000, |_| 0)
}

/// Row by row, as the consumer does it.
#[divan::bench(args = SIZES)]
fn push(bencher: Bencher<'_, '_>, size: usize) {
    let all = batch(size);
    bencher.counter(ItemsCount::new(size)).bench(|| {
        let mut made = Batch::default();
        for row in 0..all.len() {
            made.push(all.keys.get(row), all.values.get(row), all.timestamps[row]);
        }
        made
    });
}

/// Every other row.
#[divan::bench(args = SIZES)]
fn select_half(bencher: Bencher<'_, '_>, size: usize) {
    let all = batch(size);
    let half: Vec<u32> = (0..u32::try_from(size).expect("small"))
        .step_by(2)
        .collect();
    bencher
        .counter(ItemsCount::new(half.len()))
        .bench(|| black_box(&all).select(&half));
}

/// The middle half, at one go.
#[divan::bench(args = SIZES)]
fn slice_half(bencher: Bencher<'_, '_>, size: usize) {
    let all = batch(size);
    let half = size / 4..size - size / 4;
    bencher
        .counter(ItemsCount::new(half.len()))
        .bench(|| black_box(&all).slice(half.clone()));
}

/// A batch behind another.
#[divan::bench(args = SIZES)]
fn append(bencher: Bencher<'_, '_>, size: usize) {
    let all = batch(size);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| all.clone())
        .bench_local_refs(|to| to.append(black_box(&all)));
}
