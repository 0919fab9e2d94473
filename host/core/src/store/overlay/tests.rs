//! Stories of the overlay, and a random test against a model of plain maps.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::*;
use crate::store::MemoryBackend;

const COUNTS: StoreId = StoreId(0);
const TABLE: StoreId = StoreId(1);

fn overlay(backend: &MemoryBackend) -> Overlay {
    Overlay::new(Box::new(backend.clone()), &[false, true])
}

fn value(overlay: &Overlay, store: StoreId, key: &[u8]) -> Option<Vec<u8>> {
    overlay.get(store, key).unwrap().map(|(value, _)| value)
}

fn value_as_of(overlay: &Overlay, key: &[u8], place: &[u32]) -> Option<Vec<u8>> {
    overlay
        .get_as_of(TABLE, key, place)
        .unwrap()
        .map(|(value, _)| value)
}

#[test]
fn writes_are_read_at_once_and_committed_only_at_the_end() {
    let backend = MemoryBackend::new();
    let mut task = overlay(&backend);
    task.put(COUNTS, LAST_PLACE, b"ada", Some(b"1"), 10);
    task.put(COUNTS, LAST_PLACE, b"ada", Some(b"2"), 11);
    assert_eq!(task.get(COUNTS, b"ada"), Ok(Some((b"2".to_vec(), 11))));
    assert_eq!(backend.entries(COUNTS), []);

    let prepared = task.prepare().to_vec();
    assert_eq!(prepared.len(), 1);
    assert_eq!(
        prepared[0].1.rows.len(),
        1,
        "only the last write of a key goes to the changelog"
    );
    let written = task.finish(&[(COUNTS, 5), (TABLE, 9)]).unwrap();
    assert_eq!(written[0].1.rows, prepared[0].1.rows);
    assert_eq!(
        backend.entries(COUNTS),
        [(b"ada".to_vec(), b"2".to_vec(), 11)]
    );
    assert_eq!(
        (backend.changelog_end(COUNTS), backend.changelog_end(TABLE)),
        (Ok(Some(5)), Ok(Some(9)))
    );
    assert_eq!(task.uncommitted_bytes(), 0);
}

#[test]
fn a_dropped_overlay_is_an_abort() {
    let backend = MemoryBackend::new();
    let mut task = overlay(&backend);
    task.put(COUNTS, LAST_PLACE, b"ada", Some(b"1"), 10);
    task.prepare();
    drop(task);
    assert_eq!(value(&overlay(&backend), COUNTS, b"ada"), None);
}

#[test]
fn many_keys_are_found_partly_above_and_partly_below() {
    let backend = MemoryBackend::new();
    let mut task = overlay(&backend);
    for key in [b"a", b"b", b"c"] {
        task.put(COUNTS, LAST_PLACE, key, Some(b"old"), 1);
    }
    task.finish(&[]).unwrap();
    task.put(COUNTS, LAST_PLACE, b"b", Some(b"new"), 2);
    task.put(COUNTS, LAST_PLACE, b"c", None, 2);
    let keys: Column = [Some(&b"c"[..]), Some(b"b"), None, Some(b"a"), Some(b"none")]
        .into_iter()
        .collect();
    let found = task.get_many(COUNTS, &keys).unwrap();
    let expected: Column = [None, Some(&b"new"[..]), None, Some(b"old"), None]
        .into_iter()
        .collect();
    assert_eq!(
        (found.values, found.timestamps),
        (expected, vec![0, 2, 0, 1, 0])
    );
}

/// The stream side of a join runs after its table has taken the whole batch, and yet a row of the
/// stream must not meet the table's future.
#[test]
fn a_row_meets_the_table_as_it_was_at_the_rows_place() {
    let backend = MemoryBackend::new();
    let mut task = overlay(&backend);
    task.put(TABLE, LAST_PLACE, b"k", Some(b"committed"), 0);
    task.finish(&[]).unwrap();
    task.put(TABLE, &[2], b"k", Some(b"second"), 2);
    task.put(TABLE, &[4, 1], b"k", None, 4);
    task.put(TABLE, &[6], b"new", Some(b"sixth"), 6);
    assert_eq!(
        value_as_of(&task, b"k", &[1, 9]),
        Some(b"committed".to_vec())
    );
    assert_eq!(value_as_of(&task, b"k", &[2]), Some(b"second".to_vec()));
    assert_eq!(value_as_of(&task, b"k", &[4, 0]), Some(b"second".to_vec()));
    assert_eq!(value_as_of(&task, b"k", &[4, 1, 0]), None);
    assert_eq!(value_as_of(&task, b"new", &[5]), None);
    assert_eq!(value_as_of(&task, b"new", &[6, 0]), Some(b"sixth".to_vec()));
    task.end_batch();
    assert_eq!(
        value_as_of(&task, b"new", &[0]),
        Some(b"sixth".to_vec()),
        "the next batch starts here"
    );
    assert_eq!(value(&task, TABLE, b"k"), None);
}

#[test]
fn what_a_failed_call_wrote_is_taken_back() {
    let backend = MemoryBackend::new();
    let mut task = overlay(&backend);
    task.put(COUNTS, LAST_PLACE, b"ada", Some(b"1"), 10);
    let before = task.savepoint();
    task.put(COUNTS, LAST_PLACE, b"ada", Some(b"2"), 11);
    task.put(COUNTS, LAST_PLACE, b"bob", Some(b"1"), 11);
    task.expire(COUNTS, b"a", b"b");
    assert_eq!(value(&task, COUNTS, b"ada"), None);
    task.rollback_to(&before);
    assert_eq!(value(&task, COUNTS, b"ada"), Some(b"1".to_vec()));
    assert_eq!(value(&task, COUNTS, b"bob"), None);
    task.put(COUNTS, LAST_PLACE, b"eve", Some(b"1"), 12);
    task.release(before);
    task.finish(&[]).unwrap();
    assert_eq!(backend.entries(COUNTS).len(), 2);
}

/// Place, key, value (none deletes), timestamp.
type ModelWrite = (Vec<u32>, Vec<u8>, Option<Vec<u8>>, i64);

/// The model: what was committed, what the batch began with, and the batch's writes in their order.
#[derive(Clone, Default)]
struct Model {
    committed: BTreeMap<Vec<u8>, (Vec<u8>, i64)>,
    base: BTreeMap<Vec<u8>, (Vec<u8>, i64)>,
    batch: Vec<ModelWrite>,
}

impl Model {
    fn at(&self, place: &[u32]) -> BTreeMap<Vec<u8>, (Vec<u8>, i64)> {
        let mut writes: Vec<_> = self
            .batch
            .iter()
            .filter(|(at, ..)| **at <= *place)
            .collect();
        writes.sort_by_key(|(at, ..)| at);
        let mut state = self.base.clone();
        for (_, key, value, timestamp) in writes {
            match value {
                Some(value) => state.insert(key.clone(), (value.clone(), *timestamp)),
                None => state.remove(key),
            };
        }
        state
    }

    fn end_batch(&mut self) {
        self.base = self.at(LAST_PLACE);
        self.batch.clear();
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(limit)).unwrap()
    }

    fn key(&mut self) -> Vec<u8> {
        let length = self.below(3);
        (0..length)
            .map(|_| b"\0ab\xff"[self.below(4) as usize])
            .collect()
    }

    fn place(&mut self) -> Vec<u32> {
        let levels = 1 + self.below(3);
        (0..levels).map(|_| self.below(4)).collect()
    }

    fn bound(&mut self, key: &'static mut Vec<u8>) -> Bound<&'static [u8]> {
        *key = self.key();
        match self.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    }
}

fn check(task: &mut Overlay, model: &Model, store: StoreId, random: &mut Random, story: &str) {
    let place = if random.below(2) == 0 {
        LAST_PLACE.to_vec()
    } else {
        random.place()
    };
    let seen_from = if store == TABLE {
        place.as_slice()
    } else {
        LAST_PLACE
    };
    let state = model.at(seen_from);
    let keys: Vec<Vec<u8>> = (0..5).map(|_| random.key()).collect();
    let column: Column = keys.iter().map(|key| Some(key.as_slice())).collect();
    let found = task.get_many_as_of(store, &column, |_| &place).unwrap();
    for (row, key) in keys.iter().enumerate() {
        let found = found
            .values
            .get(row)
            .map(|value| (value.to_vec(), found.timestamps[row]));
        assert_eq!(
            found,
            state.get(key).cloned(),
            "{story}: key {key:?} at {place:?}"
        );
        assert_eq!(
            task.get_as_of(store, key, &place).unwrap(),
            found,
            "{story}"
        );
    }
    let (start, end) = (
        random.bound(Box::leak(Box::default())),
        random.bound(Box::leak(Box::default())),
    );
    let range = KeyRange {
        start,
        end,
        reverse: random.below(2) == 0,
    };
    let mut expected: Vec<_> = state
        .into_iter()
        .filter(|(key, _)| std::ops::RangeBounds::<[u8]>::contains(&(start, end), key.as_slice()))
        .collect();
    if range.reverse {
        expected.reverse();
    }
    let most = if random.below(2) == 0 {
        usize::MAX
    } else {
        1 + random.below(3) as usize
    };
    expected.truncate(most);
    let mut seen = Vec::new();
    let mut visit = |key: &[u8], value: &[u8], timestamp: i64| {
        seen.push((key.to_vec(), (value.to_vec(), timestamp)));
        if seen.len() == most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    task.range_as_of(store, range, &place, &mut visit).unwrap();
    assert_eq!(seen, expected, "{story}: {range:?} at {place:?}");
}

#[test]
fn an_overlay_answers_as_plain_maps_do() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let backend = MemoryBackend::new();
        let mut task = overlay(&backend);
        let mut models = [Model::default(), Model::default()];
        let mut savepoints: Vec<(Savepoint, [Model; 2])> = Vec::new();
        for step in 0..300 {
            let story = format!("SEED={seed} step {step}");
            let store = StoreId(random.below(2));
            let clean = models.iter().all(|model| model.batch.is_empty());
            let model = &mut models[store.0 as usize];
            match random.below(24) {
                0 => {
                    task.end_batch();
                    savepoints.clear();
                    models.iter_mut().for_each(Model::end_batch);
                }
                1 => savepoints.push((task.savepoint(), models.clone())),
                2 | 3 if !savepoints.is_empty() => {
                    let (savepoint, then) = savepoints.pop().unwrap();
                    if random.below(2) == 0 {
                        task.rollback_to(&savepoint);
                        models = then;
                    }
                    task.release(savepoint);
                }
                4 if clean => {
                    let (start, end) = (random.key(), random.key());
                    task.expire(store, &start, &end);
                    let gone = |key: &Vec<u8>| start <= *key && *key < end;
                    models[store.0 as usize].base.retain(|key, _| !gone(key));
                }
                5 if random.below(3) == 0 => {
                    task.finish(&[]).unwrap();
                    savepoints.clear();
                    for (number, model) in (0..).zip(&mut models) {
                        model.end_batch();
                        model.committed = model.base.clone();
                        let committed = backend.entries(StoreId(number)).into_iter();
                        let committed: BTreeMap<_, _> = committed
                            .map(|(key, value, timestamp)| (key, (value, timestamp)))
                            .collect();
                        assert_eq!(committed, model.committed, "{story}");
                    }
                }
                6 if random.below(5) == 0 => {
                    task = overlay(&backend);
                    savepoints.clear();
                    for model in &mut models {
                        model.batch.clear();
                        model.base = model.committed.clone();
                    }
                }
                7..=14 => {
                    let (key, place) = (random.key(), random.place());
                    let value =
                        (random.below(4) > 0).then(|| random.below(100).to_string().into_bytes());
                    task.put(store, &place, &key, value.as_deref(), step);
                    let at = if store == TABLE { place } else { Vec::new() };
                    model.batch.push((at, key, value, step));
                }
                _ => check(&mut task, model, store, &mut random, &story),
            }
        }
    }
}
