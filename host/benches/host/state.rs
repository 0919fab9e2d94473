//! Committed state on RocksDB: looked up and written as a task does it. A store of a million keys
//! with values of 100 bytes, most of which the block cache holds.

use std::sync::OnceLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::TempDir;
use weir_core::record::{Batch, Column};
use weir_core::store::{Backend, LAST_PLACE, Overlay, StoreId, Writes};
use weir_core::topology::{Changelog, StoreKind, StoreSpec};
use weir_host::state::{Database, Memory, TaskState};

use crate::random::{Random, key};

const STORE: StoreId = StoreId(0);
const KEYS: u64 = 1_000_000;
/// Keys in a batch, and writes in a transaction.
const BATCHES: [usize; 3] = [16, 256, 1024];
const TRANSACTIONS: [usize; 2] = [1_000, 10_000];

struct Filled {
    database: Database,
    _folder: TempDir,
}

fn specs() -> [StoreSpec; 1] {
    [StoreSpec {
        name: "counts".to_owned(),
        subtopology: Some(0),
        changelog: Changelog::Own("counts".to_owned()),
        kind: StoreKind::KeyValue,
        global: false,
        shared: false,
        read_by_others: false,
    }]
}

/// The state of a task whose store has all keys; made once.
fn state() -> TaskState {
    static FILLED: OnceLock<Filled> = OnceLock::new();
    let filled = FILLED.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let database = Database::open(folder.path(), &Memory::default()).expect("a database");
        let mut state = database.task(0, &specs()).expect("a store");
        for first in (0..KEYS).step_by(10_000) {
            let writes = writes(first..first + 10_000);
            state.commit(&[(STORE, writes)]).expect("a disk");
        }
        // Until the cache holds what it can.
        let mut all = Column::default();
        (0..KEYS).for_each(|number| all.push(Some(&key(number))));
        state.get_many(STORE, &all).expect("a disk");
        Filled {
            database,
            _folder: folder,
        }
    });
    filled.database.task(0, &specs()).expect("a store")
}

fn writes(numbers: impl Iterator<Item = u64>) -> Writes {
    let mut rows = Batch::default();
    for number in numbers {
        rows.push(Some(&key(number)), Some(&[b'v'; 100]), 0);
    }
    Writes {
        rows,
        expired: Vec::new(),
        changelog_end: Some(1),
    }
}

fn chosen(random: &mut Random, size: usize) -> Column {
    let mut keys = Column::default();
    for _ in 0..size {
        keys.push(Some(&key(random.below(KEYS))));
    }
    keys
}

/// Random keys, other ones each time.
#[divan::bench(args = BATCHES)]
fn get_many(bencher: Bencher<'_, '_>, size: usize) {
    let (state, mut random) = (state(), Random(2));
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| chosen(&mut random, size))
        .bench_local_refs(|keys| state.get_many(STORE, keys).expect("a disk"));
}

/// A transaction of random keys in their order, as a commit hands it over.
#[divan::bench(args = TRANSACTIONS)]
fn commit(bencher: Bencher<'_, '_>, size: usize) {
    let (mut state, mut random) = (state(), Random(3));
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let mut numbers: Vec<u64> = (0..size).map(|_| random.below(KEYS)).collect();
            numbers.sort_unstable();
            numbers.dedup();
            [(STORE, writes(numbers.into_iter()))]
        })
        .bench_local_refs(|writes| state.commit(writes).expect("a disk"));
}

/// The whole way of a count: a batch looked up and written in the overlay, until a commit.
#[divan::bench(args = TRANSACTIONS)]
fn transaction(bencher: Bencher<'_, '_>, size: usize) {
    const BATCH: usize = 500;
    let mut random = Random(4);
    let mut overlay = Overlay::new(Box::new(state()), &[false]);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let batches = (0..size / BATCH).map(|_| chosen(&mut random, BATCH));
            batches.collect::<Vec<_>>()
        })
        .bench_local_refs(|batches| {
            for keys in batches {
                overlay.get_many(STORE, keys).expect("a disk");
                for key in keys.iter().flatten() {
                    overlay.put(STORE, LAST_PLACE, key, Some(&[b'w'; 100]), 0);
                }
                overlay.end_batch();
            }
            overlay.prepare();
            overlay.finish(&[]).expect("a disk");
        });
}
