//! Whole tasks over state in memory: rows in, rows out, a commit every 32 batches.
//!
//! A transaction is 32 k rows, what half a second of heavy load gives. The backend's part is that
//! of two B-trees and not RocksDB's; subtract it (`MemoryBackend`) to see the engine's.

use divan::Bencher;
use divan::counter::ItemsCount;
use weir_core::functions::FunctionId;
use weir_core::topology::description::{Aggregator, Emit, JoinKind, Operator, Window};

use crate::random::{Random, key, rows};
use crate::service::{Input, Service};

const BATCHES: usize = 32;
const ROWS: usize = 1024;
const KEYS: [u64; 2] = [10_000, 1_000_000];

fn source() -> Operator {
    Operator::Source {
        topic: "in".to_owned(),
    }
}

fn aggregate(aggregator: Aggregator, window: Option<Window>) -> Operator {
    Operator::Aggregate {
        aggregator,
        store: "store".to_owned(),
        window,
        emit: Emit::OnUpdate,
        skip_null_values: false,
    }
}

/// Measures transactions of rows with `keys` keys; 1000 rows are a second.
fn measure(bencher: Bencher<'_, '_>, mut service: Service, keys: u64) {
    let mut random = Random(5);
    let mut time = 0_i64;
    let next = move || -> Input {
        let batch = |_| {
            time += 1024;
            let time_of = |row| time + i64::try_from(row).expect("few");
            ("in", rows(&mut random, ROWS, keys, time_of))
        };
        (0..BATCHES).map(batch).collect()
    };
    bencher
        .counter(ItemsCount::new(BATCHES * ROWS))
        .with_inputs(next)
        .bench_local_values(|input| service.transaction(input));
}

/// Gives a service every key once.
fn with_keys(mut service: Service, topic: &'static str, keys: u64) -> Service {
    for first in (0..keys).step_by(100_000) {
        let mut batch = weir_core::record::Batch::default();
        for number in first..keys.min(first + 100_000) {
            batch.push(Some(&key(number)), Some(&[b't'; 100]), 0);
        }
        service.load(vec![(topic, batch)]);
    }
    service
}

/// A transform and a sink.
#[divan::bench]
fn passthrough(bencher: Bencher<'_, '_>) {
    let transform = Operator::Transform {
        function: FunctionId(0),
        ports: 1,
        steps: Vec::new(),
        rekeys: false,
    };
    measure(bencher, Service::new(vec![source()], transform), 1000);
}

/// A count of each key, all of which have one.
#[divan::bench(args = KEYS)]
fn count(bencher: Bencher<'_, '_>, keys: u64) {
    let service = Service::new(vec![source()], aggregate(Aggregator::Count, None));
    measure(bencher, with_keys(service, "in", keys), keys);
}

/// The latest value of each key, by a function.
#[divan::bench(args = KEYS)]
fn reduce(bencher: Bencher<'_, '_>, keys: u64) {
    let aggregator = Aggregator::Function(FunctionId(0));
    let service = Service::new(vec![source()], aggregate(aggregator, None));
    measure(bencher, with_keys(service, "in", keys), keys);
}

/// A stream with a table of so many keys.
#[divan::bench(args = KEYS)]
fn join(bencher: Bencher<'_, '_>, keys: u64) {
    let table = Operator::Table {
        topic: "table".to_owned(),
        store: Some("table".to_owned()),
        history: None,
    };
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Inner,
        function: FunctionId(0),
        grace: None,
    };
    let service = Service::new(vec![source(), table], join);
    measure(bencher, with_keys(service, "table", keys), keys);
}

/// Counts in windows of ten seconds.
#[divan::bench]
fn tumbling(bencher: Bencher<'_, '_>) {
    let window = Window::Hopping {
        size: 10_000,
        advance: 10_000,
        grace: 5_000,
    };
    let operator = aggregate(Aggregator::Count, Some(window));
    measure(bencher, Service::new(vec![source()], operator), 1000);
}

/// Counts in sessions that end after a second without a row, so that a third of the rows begin one.
#[divan::bench]
fn session(bencher: Bencher<'_, '_>) {
    let window = Window::Session {
        gap: 1_000,
        grace: 5_000,
    };
    let operator = aggregate(Aggregator::Count, Some(window));
    measure(bencher, Service::new(vec![source()], operator), 1000);
}
