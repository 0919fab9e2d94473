//! The partitioner's hash.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use weir_core::partitioner::murmur2;

/// Of a key of so many bytes.
#[divan::bench(args = [8, 16, 64, 1024])]
fn key(bencher: Bencher<'_, '_>, length: usize) {
    let key = vec![7; length];
    bencher
        .counter(BytesCount::new(length))
        .bench(|| murmur2(black_box(&key)));
}
