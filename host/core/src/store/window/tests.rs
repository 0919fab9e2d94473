//! Stories of window stores, and a random test against a list of all windows ever put.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::*;
use crate::codec::windowed_key;
use crate::restore;
use crate::store::{LAST_PLACE, MemoryBackend};

const STORE: StoreId = StoreId(0);
const MINUTE: i64 = 60_000;

fn overlay(backend: &MemoryBackend) -> Overlay {
    Overlay::new(Box::new(backend.clone()), &[false])
}

fn ten_minutes() -> WindowStore {
    WindowStore::new(
        STORE,
        Retention {
            ms: 10 * MINUTE,
            inclusive: false,
        },
    )
}

fn put(windows: &mut WindowStore, task: &mut Overlay, key: &str, minute: i64, value: &str) {
    let window = (key.as_bytes(), minute * MINUTE);
    windows
        .put(
            task,
            LAST_PLACE,
            window,
            Some(value.as_bytes()),
            minute * MINUTE + 1,
        )
        .unwrap();
}

/// A key's windows as "minute value", from one minute to another.
fn minutes(
    windows: &mut WindowStore,
    task: &mut Overlay,
    key: &str,
    range: (i64, i64),
    reverse: bool,
) -> Vec<String> {
    let mut seen = Vec::new();
    let mut visit = |start: i64, value: &[u8], _: i64| {
        seen.push(format!("{} {}", start / MINUTE, value.escape_ascii()));
        ControlFlow::Continue(())
    };
    let range = (range.0 * MINUTE, range.1 * MINUTE);
    windows
        .fetch_range(task, key.as_bytes(), range, reverse, &mut visit)
        .unwrap();
    seen
}

#[test]
fn a_keys_windows_come_by_start_in_either_direction_and_keys_do_not_mix() {
    let backend = MemoryBackend::new();
    let (mut task, mut windows) = (overlay(&backend), ten_minutes());
    for minute in [3, 1, 9, 7, 5] {
        put(&mut windows, &mut task, "ada", minute, "a");
        put(&mut windows, &mut task, "ada\0", minute, "zero");
        put(&mut windows, &mut task, "ad", minute, "shorter");
        if minute == 9 {
            task.finish(&[]).unwrap();
        }
    }
    assert_eq!(
        minutes(&mut windows, &mut task, "ada", (2, 8), false),
        ["3 a", "5 a", "7 a"]
    );
    assert_eq!(
        minutes(&mut windows, &mut task, "ada", (2, 8), true),
        ["7 a", "5 a", "3 a"]
    );
    assert_eq!(
        windows.fetch(&task, b"ada", 5 * MINUTE).unwrap(),
        Some((b"a".to_vec(), 5 * MINUTE + 1))
    );
    let windowed = |key: &str, minute| windowed_key(key.as_bytes(), minute * MINUTE);
    let asked = [windowed("ad", 1), windowed("ada", 9), windowed("eve", 1)];
    let keys: Column = [
        Some(&asked[0][..]),
        None,
        Some(&asked[1]),
        Some(&asked[2]),
        Some(b"?"),
    ]
    .into_iter()
    .collect();
    let found = windows.fetch_many(&task, &keys).unwrap();
    let expected: Column = [Some(&b"shorter"[..]), None, Some(b"a"), None, None]
        .into_iter()
        .collect();
    assert_eq!(found.values, expected);
}

#[test]
fn windows_are_seen_as_of_a_place_with_the_retention_of_that_place() {
    let backend = MemoryBackend::new();
    let mut task = Overlay::new(Box::new(backend), &[true]);
    let mut windows = ten_minutes();
    let mut put = |task: &mut Overlay, place: u32, minute: i64| {
        let window = (&b"ada"[..], minute * MINUTE);
        windows.put(task, &[place], window, Some(b"v"), 1).unwrap();
    };
    put(&mut task, 1, 1);
    put(&mut task, 3, 50);
    let key = windowed_key(b"ada", MINUTE);
    let keys: Column = [Some(&key[..]); 4].into_iter().collect();
    let places: [&[u32]; 4] = [&[0], &[1], &[2], &[3]];
    let found = windows
        .fetch_many_as_of(&task, &keys, |row| places[row])
        .unwrap();
    let there: Vec<bool> = found.values.iter().map(|value| value.is_some()).collect();
    assert_eq!(
        there,
        [false, true, true, false],
        "the fourth hides what is too old by then"
    );
}

#[test]
fn retention_is_exact_though_whole_segments_are_deleted() {
    let backend = MemoryBackend::new();
    let (mut task, mut windows) = (overlay(&backend), ten_minutes());
    (0..=12).for_each(|minute| put(&mut windows, &mut task, "ada", minute, "v"));
    assert_eq!(
        minutes(&mut windows, &mut task, "ada", (0, 4), false),
        ["3 v", "4 v"]
    );
    assert_eq!(windows.fetch(&task, b"ada", 2 * MINUTE).unwrap(), None);
    put(&mut windows, &mut task, "ada", 2, "too old to be kept");
    windows.expire(&mut task).unwrap();
    task.finish(&[]).unwrap();
    put(&mut windows, &mut task, "ada", 100, "v");
    windows.expire(&mut task).unwrap();
    task.finish(&[]).unwrap();
    assert_eq!(windows.all(&mut task).unwrap().len(), 1);
    assert_eq!(
        backend.entries(STORE).len(),
        2,
        "one window and the store's own record"
    );

    let mut inclusive = WindowStore::new(
        STORE,
        Retention {
            ms: 10 * MINUTE,
            inclusive: true,
        },
    );
    let mut task = overlay(&MemoryBackend::new());
    (0..=12).for_each(|minute| put(&mut inclusive, &mut task, "ada", minute, "v"));
    assert_eq!(
        minutes(&mut inclusive, &mut task, "ada", (0, 3), false),
        ["2 v", "3 v"]
    );
}

#[test]
fn open_windows_are_taken_once_and_in_order_though_retention_hides_them() {
    let backend = MemoryBackend::new();
    let (mut task, mut windows) = (overlay(&backend), ten_minutes());
    for (key, minute) in [
        ("bob", 1),
        ("ada", 1),
        ("zoe", 0),
        ("gone", 0),
        ("far", 1_000_000),
    ] {
        put(&mut windows, &mut task, key, minute, key);
        windows.open(&mut task, LAST_PLACE, (key.as_bytes(), minute * MINUTE));
        // Neither a commit nor an expiry in between loses a window that was not taken.
        windows.expire(&mut task).unwrap();
        task.finish(&[]).unwrap();
    }
    windows.forget(&mut task, LAST_PLACE, (b"gone", 0));
    let mut taken = |minute: i64| {
        let closed = windows
            .take_closed(&mut task, LAST_PLACE, minute * MINUTE)
            .unwrap();
        let shown = closed.iter().map(|w| w.value.escape_ascii().to_string());
        shown.collect::<Vec<_>>()
    };
    assert_eq!(taken(0), Vec::<String>::new());
    assert_eq!(taken(1), ["zoe"]);
    assert_eq!(taken(999_999), ["ada", "bob"]);
    assert_eq!(taken(1_000_000), Vec::<String>::new());
    windows.expire(&mut task).unwrap();
    task.finish(&[]).unwrap();
    assert_eq!(
        backend.entries(STORE).len(),
        3,
        "one window, open, and the store's record"
    );
}

/// The highest start is part of the state: a store restored from its changelog hides what the lost
/// one hid, even when the window that moved time is gone again, and finds its windows when a new
/// version asks for another retention.
#[test]
fn a_restored_store_answers_as_the_lost_one() {
    let backend = MemoryBackend::new();
    let (mut task, mut windows) = (overlay(&backend), ten_minutes());
    (0..=9).for_each(|minute| put(&mut windows, &mut task, "ada", minute, "v"));
    windows
        .put(
            &mut task,
            LAST_PLACE,
            (b"ada", 14 * MINUTE),
            None,
            14 * MINUTE,
        )
        .unwrap();
    let changelog = task.prepare()[0].1.rows.clone();

    let mut restored = MemoryBackend::new();
    crate::store::Backend::commit(&mut restored, &[(STORE, restore::writes(&changelog, 20))])
        .unwrap();
    for (retention, expected) in [(10, 1), (11, 2), (500, 6)] {
        let ms = retention * MINUTE;
        let mut windows = WindowStore::new(
            STORE,
            Retention {
                ms,
                inclusive: false,
            },
        );
        let mut task = overlay(&restored);
        assert_eq!(windows.last(&task).unwrap(), Some(14 * MINUTE));
        let found = minutes(&mut windows, &mut task, "ada", (0, 5), false);
        assert_eq!(found.len(), expected, "retention of {retention} minutes");
    }
}

#[test]
fn random_windows_are_found_as_in_a_plain_list() {
    for seed in 0..100_u64 {
        let mut state = seed;
        let mut below = move |limit: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((state >> 33) % limit).unwrap()
        };
        let retention = Retention {
            ms: 1 + below(300_000),
            inclusive: below(2) == 0,
        };
        let mut windows = WindowStore::new(STORE, retention);
        let backend = MemoryBackend::new();
        let mut task = overlay(&backend);
        let mut model: BTreeMap<(i64, Vec<u8>), (Vec<u8>, i64)> = BTreeMap::new();
        let (mut last, mut clock) = (i64::MIN, -400_000);
        for step in 0..300 {
            clock += if below(20) == 0 {
                below(500_000)
            } else {
                below(3_000)
            };
            let key = vec![b'a'; usize::try_from(below(3)).unwrap()];
            let start = clock - below(400_000);
            let value = (below(5) > 0).then(|| vec![1, u8::try_from(step % 250).unwrap()]);
            windows
                .put(&mut task, LAST_PLACE, (&key, start), value.as_deref(), step)
                .unwrap();
            last = last.max(start);
            let floor = last - retention.ms + i64::from(!retention.inclusive);
            match value {
                Some(value) => model.insert((start, key.clone()), (value, step)),
                None => model.remove(&(start, key.clone())),
            };
            model.retain(|(start, _), _| *start >= floor);
            match below(10) {
                0 => windows.expire(&mut task).unwrap(),
                1 => drop(task.finish(&[]).unwrap()),
                _ => {}
            }
            let (from, to) = (start - below(200_000), start + below(200_000));
            let mut expected: Vec<_> = model
                .iter()
                .filter(|((at, k), _)| (from..=to).contains(at) && *k == key)
                .collect();
            let reverse = below(2) == 0;
            if reverse {
                expected.reverse();
            }
            let expected: Vec<_> = expected
                .into_iter()
                .map(|((at, _), (value, t))| (*at, value.clone(), *t))
                .collect();
            let mut seen = Vec::new();
            let mut visit = |start: i64, value: &[u8], timestamp: i64| {
                seen.push((start, value.to_vec(), timestamp));
                ControlFlow::Continue(())
            };
            windows
                .fetch_range(&mut task, &key, (from, to), reverse, &mut visit)
                .unwrap();
            assert_eq!(seen, expected, "SEED={seed} step {step}");
            let all: Vec<_> = windows.all(&mut task).unwrap();
            let all: Vec<_> = all
                .into_iter()
                .map(|w| ((w.start, w.key), (w.value, w.timestamp)))
                .collect();
            assert_eq!(
                all,
                model.clone().into_iter().collect::<Vec<_>>(),
                "SEED={seed} step {step}"
            );
        }
    }
}
