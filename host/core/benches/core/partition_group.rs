//! The partition group: rows of several inputs in the order of their timestamps.

use divan::Bencher;
use divan::counter::ItemsCount;
use weir_core::task::PartitionGroup;
use weir_core::task::partition_group::{Cut, Next};
use weir_core::time::Timestamp;

use crate::random::{Random, rows};

const ROWS: usize = 1024;

/// All rows of so many inputs, a batch each, whose timestamps take turns.
#[divan::bench(args = [1, 2, 8, 32])]
fn next(bencher: Bencher<'_, '_>, inputs: usize) {
    let step = i64::try_from(inputs).expect("few");
    let batches: Vec<_> = (0..inputs)
        .map(|input| {
            let first = i64::try_from(input).expect("few");
            let time_of = |row| first + step * i64::try_from(row).expect("few");
            rows(&mut Random(7), ROWS, 1000, time_of)
        })
        .collect();
    let offsets: Vec<i64> = (0..).take(ROWS).collect();
    let cut = Cut {
        rows: ROWS,
        bytes: usize::MAX,
        stream_time: None,
    };
    bencher
        .counter(ItemsCount::new(inputs * ROWS))
        .with_inputs(|| {
            let mut group = PartitionGroup::new(inputs, 0);
            for (input, rows) in batches.iter().enumerate() {
                group.enqueue(input, rows.clone(), offsets.clone());
                group.reach_end(input);
            }
            group
        })
        .bench_local_refs(|group| {
            let mut handed = 0;
            while let Next::Run(run) = group.next(Timestamp(0), cut) {
                handed += run.stream_times.len();
            }
            assert_eq!(handed, inputs * ROWS, "all rows are handed out");
        });
}
