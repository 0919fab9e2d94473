//! What the cache answers is what the backend would have; and it answers without the backend.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::Bound;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::record::Batch;
use crate::store::MemoryBackend;
use crate::store::contract::store_contract;

const STORE: StoreId = StoreId(0);
const OTHERS: StoreId = StoreId(1);

/// Counts the keys that are looked up.
struct Counting {
    backend: MemoryBackend,
    looked_up: Arc<AtomicUsize>,
}

impl Backend for Counting {
    fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        self.looked_up.fetch_add(keys.len(), Ordering::Relaxed);
        self.backend.get_many(store, keys)
    }

    fn range(
        &self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.backend.range(store, range, visit)
    }

    fn commit(&mut self, writes: &[(StoreId, Writes)]) -> Result<(), Error> {
        self.backend.commit(writes)
    }

    fn changelog_end(&self, store: StoreId) -> Result<Option<i64>, Error> {
        self.backend.changelog_end(store)
    }

    fn wipe(&mut self, store: StoreId) -> Result<(), Error> {
        self.backend.wipe(store)
    }
}

/// A cache over an empty memory, the memory, and what was looked up in it.
fn cached(room: &Room) -> (Cached<Counting>, MemoryBackend, impl Fn() -> usize + use<>) {
    let (backend, looked_up) = (MemoryBackend::new(), Arc::new(AtomicUsize::new(0)));
    let counting = Counting {
        backend: backend.clone(),
        looked_up: Arc::clone(&looked_up),
    };
    let looked_up = move || looked_up.swap(0, Ordering::Relaxed);
    (
        Cached::new(counting, [true, false], room),
        backend,
        looked_up,
    )
}

fn writes(rows: &[(&str, Option<&str>)]) -> Writes {
    let mut batch = Batch::default();
    for (key, value) in rows {
        batch.push(Some(key.as_bytes()), value.map(str::as_bytes), 1);
    }
    Writes {
        rows: batch,
        ..Writes::default()
    }
}

fn get<B: Backend>(backend: &B, store: StoreId, keys: &[&str]) -> Vec<Option<String>> {
    let keys: Column = keys.iter().map(|key| Some(key.as_bytes())).collect();
    let found = backend.get_many(store, &keys).unwrap();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    found.values.iter().map(|value| value.map(text)).collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values
        .iter()
        .map(|value| Some((*value).to_owned()))
        .collect()
}

#[test]
fn it_is_a_backend_with_room_for_all_or_for_next_to_nothing() {
    for bytes in [1 << 20, 300, 0] {
        let room = Room::of(bytes);
        let (memory, room) = (std::cell::RefCell::new(MemoryBackend::new()), &room);
        let open =
            |backend| -> Box<dyn Backend> { Box::new(Cached::new(backend, [true, true], room)) };
        store_contract(
            || {
                memory.replace(MemoryBackend::new());
                open(memory.borrow().clone())
            },
            |backend| {
                drop(backend);
                open(memory.borrow().clone())
            },
        );
    }
}

#[test]
fn what_was_looked_up_once_is_known_with_its_changes() {
    let (mut cached, _, looked_up) = cached(&Room::of(1 << 20));
    assert_eq!(get(&cached, STORE, &["ada", "bob"]), [None, None]);
    assert_eq!(looked_up(), 2);
    cached
        .commit(&[(STORE, writes(&[("ada", Some("1"))]))])
        .unwrap();
    assert_eq!(
        get(&cached, STORE, &["bob", "ada"]),
        [None, Some("1".to_owned())]
    );
    cached
        .commit(&[(STORE, writes(&[("ada", Some("22")), ("bob", Some("3"))]))])
        .unwrap();
    assert_eq!(get(&cached, STORE, &["ada", "bob"]), some(&["22", "3"]));
    cached.commit(&[(STORE, writes(&[("ada", None)]))]).unwrap();
    assert_eq!(
        get(&cached, STORE, &["ada", "bob"]),
        [None, Some("3".to_owned())]
    );
    assert_eq!(looked_up(), 0);
    assert_eq!(
        get(&cached, STORE, &["bob", "new", "ada"]),
        [Some("3".to_owned()), None, None]
    );
    assert_eq!(looked_up(), 1, "only the new one");
}

#[test]
fn what_has_expired_or_was_wiped_is_looked_up_again() {
    let (mut cached, _, looked_up) = cached(&Room::of(1 << 20));
    let all = writes(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]);
    cached.commit(&[(STORE, all)]).unwrap();
    assert_eq!(
        get(&cached, STORE, &["a", "b", "c"]),
        some(&["1", "2", "3"])
    );
    let expired = Writes {
        expired: vec![(b"a".to_vec(), b"c".to_vec())],
        ..writes(&[("b", Some("new"))])
    };
    cached.commit(&[(STORE, expired)]).unwrap();
    looked_up();
    let left = [None, Some("new".to_owned()), Some("3".to_owned())];
    assert_eq!(get(&cached, STORE, &["a", "b", "c"]), left);
    assert_eq!(looked_up(), 2);
    cached.wipe(STORE).unwrap();
    assert_eq!(get(&cached, STORE, &["a", "b", "c"]), [None, None, None]);
}

#[test]
fn a_store_that_others_write_is_always_looked_up() {
    let (cached, mut backend, _) = cached(&Room::of(1 << 20));
    for value in ["1", "2"] {
        backend
            .commit(&[(OTHERS, writes(&[("ada", Some(value))]))])
            .unwrap();
        assert_eq!(get(&cached, OTHERS, &["ada"]), some(&[value]));
    }
}

#[test]
fn those_that_share_a_room_have_the_same_part_of_it() {
    let room = Room::of(10_000);
    let kept = |cached: &mut Cached<Counting>| {
        let stores = cached.stores.get_mut();
        stores[0].as_ref().map_or(0, Cache::weight)
    };
    let fill = |cached: &mut Cached<Counting>| {
        for number in 0..200 {
            get(cached, STORE, &[&number.to_string()]);
        }
        cached.commit(&[]).unwrap();
    };
    let (mut first, _, _) = cached(&room);
    fill(&mut first);
    assert!((9_000..=10_000).contains(&kept(&mut first)));
    let (mut second, _, _) = cached(&room);
    fill(&mut second);
    first.commit(&[]).unwrap();
    for cached in [&mut first, &mut second] {
        assert!((4_000..=5_000).contains(&kept(cached)));
    }
    drop(second);
    first.commit(&[]).unwrap();
    fill(&mut first);
    assert!((9_000..=10_000).contains(&kept(&mut first)));
}

#[test]
fn values_that_grow_take_no_more_than_the_room() {
    let room = Room::of(10_000);
    let (mut cached, _, looked_up) = cached(&room);
    let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    get(&cached, STORE, &names);
    let long = "x".repeat(1_000);
    let rows: Vec<_> = names.iter().map(|name| (*name, Some(&*long))).collect();
    cached.commit(&[(STORE, writes(&rows))]).unwrap();
    let kept = cached.stores.get_mut()[0].as_ref().map_or(0, Cache::weight);
    assert!((8_000..=10_000).contains(&kept), "{kept}");
    looked_up();
    assert_eq!(get(&cached, STORE, &names), some(&[&*long; 20]));
    assert!(looked_up() < names.len());
}

#[test]
fn random_work_ends_as_without_it() {
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % limit
    };
    let (mut cached, plain, looked_up) = cached(&Room::of(4_000));
    let mut asked = 0;
    for turn in 0..20_000 {
        let key = |number| format!("{number:02}");
        if below(3) > 0 {
            let keys: Vec<String> = (0..below(8)).map(|_| key(below(60))).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            asked += keys.len();
            assert_eq!(
                get(&cached, STORE, &keys),
                get(&plain, STORE, &keys),
                "turn {turn}"
            );
            continue;
        }
        let mut keys: Vec<String> = (0..below(6)).map(|_| key(below(60))).collect();
        keys.sort();
        keys.dedup();
        let value = "x".repeat(below(5) as usize);
        let rows: Vec<_> = keys
            .iter()
            .map(|key| (key.as_str(), (below(4) > 0).then_some(value.as_str())))
            .collect();
        let mut writes = writes(&rows);
        if below(20) == 0 {
            let start = below(60);
            writes.expired = vec![(key(start).into_bytes(), key(start + 5).into_bytes())];
        }
        cached.commit(&[(STORE, writes)]).unwrap();
    }
    let all = KeyRange {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
        reverse: false,
    };
    let count = |backend: &dyn Backend| {
        let mut count = 0;
        let mut visit = |_: &[u8], _: &[u8], _: i64| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        };
        backend.range(STORE, all, &mut visit).unwrap();
        count
    };
    assert_eq!(count(&cached), count(&plain));
    assert!(looked_up() < asked, "some were kept, some had no room");
}
