//! Stories of session stores, and a random test against a list of all sessions.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::*;
use crate::store::{LAST_PLACE, MemoryBackend};

const STORE: StoreId = StoreId(0);
const MINUTE: i64 = 60_000;

fn overlay(backend: &MemoryBackend) -> Overlay {
    Overlay::new(Box::new(backend.clone()), &[false])
}

fn put(
    sessions: &mut SessionStore,
    task: &mut Overlay,
    key: &str,
    bounds: (i64, i64),
    value: &str,
) {
    sessions
        .put(
            task,
            LAST_PLACE,
            key.as_bytes(),
            bounds,
            Some(value.as_bytes()),
        )
        .unwrap();
}

fn shown(sessions: Vec<Session>) -> Vec<String> {
    let text = |bytes: Vec<u8>| bytes.escape_ascii().to_string();
    sessions
        .into_iter()
        .map(|s| format!("{} {}-{} {}", text(s.key), s.start, s.end, text(s.value)))
        .collect()
}

#[test]
fn the_sessions_that_a_row_touches_are_found_by_end() {
    let backend = MemoryBackend::new();
    let (mut task, mut sessions) = (overlay(&backend), SessionStore::new(STORE, 10 * MINUTE));
    put(&mut sessions, &mut task, "ada", (0, 100), "early");
    put(&mut sessions, &mut task, "ada", (200, 300), "touched");
    task.finish(&[]).unwrap();
    put(&mut sessions, &mut task, "ada", (420, 500_000), "long");
    put(&mut sessions, &mut task, "ada", (500_100, 500_100), "later");
    put(&mut sessions, &mut task, "ad", (250, 260), "another key");
    let found = sessions.find(&mut task, b"ada", 300, 420).unwrap();
    assert_eq!(shown(found), ["ada 200-300 touched", "ada 420-500000 long"]);
    sessions
        .put(&mut task, LAST_PLACE, b"ada", (200, 300), None)
        .unwrap();
    assert_eq!(
        shown(sessions.find(&mut task, b"ada", 300, 419).unwrap()),
        Vec::<String>::new()
    );
    assert_eq!(
        sessions.fetch(&task, b"ada", (0, 100)).unwrap(),
        Some(b"early".to_vec())
    );
}

#[test]
fn a_session_exactly_as_old_as_the_retention_is_there_still() {
    let backend = MemoryBackend::new();
    let (mut task, mut sessions) = (overlay(&backend), SessionStore::new(STORE, MINUTE));
    put(&mut sessions, &mut task, "ada", (0, 10), "edge");
    put(&mut sessions, &mut task, "ada", (0, 9), "gone");
    put(
        &mut sessions,
        &mut task,
        "bob",
        (MINUTE, MINUTE + 10),
        "last",
    );
    let found = sessions.find(&mut task, b"ada", 0, MINUTE).unwrap();
    assert_eq!(shown(found), ["ada 0-10 edge"]);
    assert_eq!(
        shown(sessions.all(&mut task).unwrap()),
        ["ada 0-10 edge", "bob 60000-60010 last"]
    );
}

#[test]
fn open_sessions_are_taken_once_and_in_order_though_retention_hides_them() {
    let backend = MemoryBackend::new();
    let (mut task, mut sessions) = (overlay(&backend), SessionStore::new(STORE, MINUTE));
    let far = (1000 * MINUTE, 1000 * MINUTE);
    for (key, bounds) in [
        ("eve", (2, 9)),
        ("bob", (0, 9)),
        ("ada", (0, 9)),
        ("zoe", (0, 8)),
        ("far", far),
    ] {
        put(&mut sessions, &mut task, key, bounds, "v");
        sessions.open(&mut task, LAST_PLACE, key.as_bytes(), bounds);
        sessions.expire(&mut task).unwrap();
        task.finish(&[]).unwrap();
    }
    sessions.forget(&mut task, LAST_PLACE, b"eve", (2, 9));
    let mut taken = |before| shown(sessions.take_closed(&mut task, LAST_PLACE, before).unwrap());
    assert_eq!(taken(8), Vec::<String>::new());
    assert_eq!(taken(9), ["zoe 0-8 v"]);
    assert_eq!(taken(1000 * MINUTE), ["ada 0-9 v", "bob 0-9 v"]);
    assert_eq!(taken(1000 * MINUTE), Vec::<String>::new());
}

#[test]
fn random_sessions_are_found_as_in_a_plain_list() {
    for seed in 0..100_u64 {
        let mut state = seed;
        let mut below = move |limit: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((state >> 33) % limit).unwrap()
        };
        let (gap, grace) = (below(50_000), below(200_000));
        let mut sessions = SessionStore::new(STORE, gap + grace);
        let backend = MemoryBackend::new();
        let mut task = overlay(&backend);
        // By end, start, key; a row merges what it touches, as sessions do.
        let mut model: BTreeMap<(i64, i64, Vec<u8>), Vec<u8>> = BTreeMap::new();
        let (mut last, mut clock) = (i64::MIN, -100_000);
        for step in 0..300 {
            clock += if below(20) == 0 {
                below(400_000)
            } else {
                below(4_000)
            };
            let key = vec![b'k'; usize::try_from(below(3)).unwrap()];
            let t = clock - below(200_000);
            let floor = last.saturating_sub(gap + grace);
            let touched: Vec<_> = model
                .keys()
                .filter(|(end, start, k)| {
                    *k == key && *end >= (t - gap).max(floor) && *start <= t + gap
                })
                .cloned()
                .collect();
            let found = sessions.find(&mut task, &key, t - gap, t + gap).unwrap();
            let found: Vec<_> = found.into_iter().map(|s| (s.end, s.start, s.key)).collect();
            assert_eq!(found, touched, "SEED={seed} step {step}");
            let mut merged = (t, t);
            for (end, start, _) in touched {
                merged = (merged.0.min(start), merged.1.max(end));
                sessions
                    .put(&mut task, LAST_PLACE, &key, (start, end), None)
                    .unwrap();
                model.remove(&(end, start, key.clone()));
            }
            let value = step.to_string().into_bytes();
            sessions
                .put(&mut task, LAST_PLACE, &key, merged, Some(&value))
                .unwrap();
            last = last.max(merged.1);
            model.insert((merged.1, merged.0, key), value);
            model.retain(|(end, ..), _| *end >= last - gap - grace);
            match below(10) {
                0 => sessions.expire(&mut task).unwrap(),
                1 => drop(task.finish(&[]).unwrap()),
                _ => {}
            }
            let all = sessions.all(&mut task).unwrap();
            let all: Vec<_> = all
                .into_iter()
                .map(|s| ((s.end, s.start, s.key), s.value))
                .collect();
            assert_eq!(
                all,
                model.clone().into_iter().collect::<Vec<_>>(),
                "SEED={seed} step {step}"
            );
        }
    }
}
