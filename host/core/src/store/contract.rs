//! What every backend must do: one suite for the memory and for RocksDB.
//!
//! Panics where a backend breaks the contract, so that it reads like a test in each adapter's
//! tests.

use std::ops::{Bound, ControlFlow};

use super::{Backend, KeyRange, StoreId, Writes};
use crate::record::{Batch, Column};

const ONE: StoreId = StoreId(0);
const OTHER: StoreId = StoreId(1);
const HOLDS: &str = "the backend works";

/// A write: key, value (none deletes), timestamp.
type Write<'a> = (&'a [u8], Option<&'a [u8]>, i64);

/// Runs the suite. `make` opens an empty backend with at least two stores each time; `reopen`
/// closes one and opens it again on what it had committed.
pub fn store_contract(
    make: impl Fn() -> Box<dyn Backend>,
    reopen: impl Fn(Box<dyn Backend>) -> Box<dyn Backend>,
) {
    an_empty_store_has_nothing(&*make());
    entries_are_found_by_key_in_the_order_asked(&mut *make());
    ranges_go_both_ways_with_every_bound(&mut *make());
    a_visitor_stops_a_range(&mut *make());
    expired_ranges_go_before_rows_are_put(&mut *make());
    offsets_and_entries_are_one(make(), &reopen);
    a_wiped_store_is_as_new_and_alone_in_that(&mut *make());
}

fn an_empty_store_has_nothing(backend: &dyn Backend) {
    assert_eq!(get(backend, ONE, &[b"a"]), [None]);
    assert_eq!(all(backend, ONE), Vec::<String>::new());
    assert_eq!(backend.changelog_end(ONE), Ok(None));
    assert_eq!(
        backend
            .get_many(ONE, &Column::default())
            .expect(HOLDS)
            .values
            .len(),
        0
    );
}

fn entries_are_found_by_key_in_the_order_asked(backend: &mut dyn Backend) {
    put(
        backend,
        ONE,
        &[
            (b"", Some(b"empty key"), 1),
            (b"a", Some(b""), -5),
            (b"b", Some(b"2"), 7),
        ],
    );
    put(backend, OTHER, &[(b"a", Some(b"other"), 3)]);
    put(backend, ONE, &[(b"b", None, 8), (b"never there", None, 8)]);
    let found = get(backend, ONE, &[b"b", b"a", b"", b"a"]);
    let a = Some((b"".to_vec(), -5));
    assert_eq!(
        found,
        [None, a.clone(), Some((b"empty key".to_vec(), 1)), a]
    );
    assert_eq!(
        get(backend, OTHER, &[b"a", b"b"]),
        [Some((b"other".to_vec(), 3)), None]
    );
    put(backend, ONE, &[(b"a", Some(b"\0\xff"), i64::MAX)]);
    assert_eq!(
        get(backend, ONE, &[b"a"]),
        [Some((b"\0\xff".to_vec(), i64::MAX))]
    );
}

fn ranges_go_both_ways_with_every_bound(backend: &mut dyn Backend) {
    let keys: [&[u8]; 6] = [b"\0", b"a", b"a\0", b"ab", b"b", b"\xff\xff"];
    put(backend, ONE, &keys.map(|key| (key, Some(&b"v"[..]), 0)));
    put(backend, OTHER, &[(b"aa", Some(b"not of this store"), 0)]);
    let bounds = |key| [Bound::Unbounded, Bound::Included(key), Bound::Excluded(key)];
    for from in keys {
        for to in keys {
            for (start, end) in bounds(from)
                .into_iter()
                .flat_map(|s| bounds(to).map(|e| (s, e)))
            {
                let inside = |key: &&&[u8]| {
                    (match start {
                        Bound::Unbounded => true,
                        Bound::Included(start) => start <= **key,
                        Bound::Excluded(start) => start < **key,
                    }) && (match end {
                        Bound::Unbounded => true,
                        Bound::Included(end) => **key <= end,
                        Bound::Excluded(end) => **key < end,
                    })
                };
                let mut expected: Vec<Vec<u8>> =
                    keys.iter().filter(inside).map(|key| key.to_vec()).collect();
                for reverse in [false, true] {
                    let range = KeyRange {
                        start,
                        end,
                        reverse,
                    };
                    let mut seen = Vec::new();
                    let mut visit = |key: &[u8], _: &[u8], _: i64| {
                        seen.push(key.to_vec());
                        ControlFlow::Continue(())
                    };
                    backend.range(ONE, range, &mut visit).expect(HOLDS);
                    assert_eq!(seen, expected, "{range:?}");
                    expected.reverse();
                }
            }
        }
    }
}

fn a_visitor_stops_a_range(backend: &mut dyn Backend) {
    put(
        backend,
        ONE,
        &[
            (b"a", Some(b"1"), 0),
            (b"b", Some(b"2"), 0),
            (b"c", Some(b"3"), 0),
        ],
    );
    let range = KeyRange {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
        reverse: true,
    };
    let mut seen = 0;
    let mut visit = |_: &[u8], _: &[u8], _: i64| {
        seen += 1;
        if seen == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    backend.range(ONE, range, &mut visit).expect(HOLDS);
    assert_eq!(seen, 2);
}

fn expired_ranges_go_before_rows_are_put(backend: &mut dyn Backend) {
    put(
        backend,
        ONE,
        &[
            (b"a", Some(b"1"), 0),
            (b"b", Some(b"2"), 0),
            (b"c", Some(b"3"), 0),
        ],
    );
    put(backend, OTHER, &[(b"a", Some(b"stays"), 0)]);
    let writes = Writes {
        rows: rows(&[(b"b", Some(b"new"), 1)]),
        expired: vec![(b"a".to_vec(), b"c".to_vec())],
        changelog_end: None,
    };
    backend.commit(&[(ONE, writes)]).expect(HOLDS);
    assert_eq!(all(backend, ONE), ["b=new@1", "c=3@0"]);
    assert_eq!(all(backend, OTHER), ["a=stays@0"]);
}

fn offsets_and_entries_are_one(
    mut backend: Box<dyn Backend>,
    reopen: &dyn Fn(Box<dyn Backend>) -> Box<dyn Backend>,
) {
    let writes = |value: &[u8], changelog_end| Writes {
        rows: rows(&[(b"k", Some(value), 4)]),
        expired: Vec::new(),
        changelog_end,
    };
    let both = [
        (ONE, writes(b"one", Some(17))),
        (OTHER, writes(b"other", None)),
    ];
    backend.commit(&both).expect(HOLDS);
    assert_eq!(backend.changelog_end(ONE), Ok(Some(17)));
    assert_eq!(backend.changelog_end(OTHER), Ok(None));
    let only_offset = Writes {
        changelog_end: Some(i64::MAX),
        ..Writes::default()
    };
    backend
        .commit(&[(OTHER, only_offset), (ONE, writes(b"later", None))])
        .expect(HOLDS);
    let backend = reopen(backend);
    assert_eq!(
        backend.changelog_end(ONE),
        Ok(Some(17)),
        "an offset stays until the next one"
    );
    assert_eq!(backend.changelog_end(OTHER), Ok(Some(i64::MAX)));
    assert_eq!(all(&*backend, ONE), ["k=later@4"]);
    assert_eq!(
        all(&*backend, OTHER),
        ["k=other@4"],
        "an offset is no entry"
    );
}

fn a_wiped_store_is_as_new_and_alone_in_that(backend: &mut dyn Backend) {
    let writes = Writes {
        rows: rows(&[(b"", Some(b"1"), 0), (b"\xff\xff\xff", Some(b"2"), 0)]),
        expired: Vec::new(),
        changelog_end: Some(2),
    };
    backend
        .commit(&[(ONE, writes.clone()), (OTHER, writes)])
        .expect(HOLDS);
    backend.wipe(ONE).expect(HOLDS);
    an_empty_store_has_nothing(backend);
    assert_eq!(
        (all(backend, OTHER).len(), backend.changelog_end(OTHER)),
        (2, Ok(Some(2)))
    );
    put(backend, ONE, &[(b"a", Some(b"again"), 0)]);
    assert_eq!(all(backend, ONE), ["a=again@0"]);
}

fn rows(writes: &[Write<'_>]) -> Batch {
    let mut rows = Batch::default();
    for (key, value, timestamp) in writes {
        rows.push(Some(key), *value, *timestamp);
    }
    rows
}

fn put(backend: &mut dyn Backend, store: StoreId, writes: &[Write<'_>]) {
    let writes = Writes {
        rows: rows(writes),
        ..Writes::default()
    };
    backend.commit(&[(store, writes)]).expect(HOLDS);
}

fn get(backend: &dyn Backend, store: StoreId, keys: &[&[u8]]) -> Vec<Option<(Vec<u8>, i64)>> {
    let keys: Column = keys.iter().map(|key| Some(*key)).collect();
    let entries = backend.get_many(store, &keys).expect(HOLDS);
    let pairs = entries.values.iter().zip(&entries.timestamps);
    pairs
        .map(|(value, timestamp)| Some((value?.to_vec(), *timestamp)))
        .collect()
}

fn all(backend: &dyn Backend, store: StoreId) -> Vec<String> {
    let range = KeyRange {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
        reverse: false,
    };
    let mut entries = Vec::new();
    let mut visit = |key: &[u8], value: &[u8], timestamp: i64| {
        entries.push(format!(
            "{}={}@{timestamp}",
            key.escape_ascii(),
            value.escape_ascii()
        ));
        ControlFlow::Continue(())
    };
    backend.range(store, range, &mut visit).expect(HOLDS);
    entries
}
