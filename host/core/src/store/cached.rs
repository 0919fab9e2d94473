//! A cache of committed entries, before a backend whose look-ups cost more than a hash table's.
//!
//! What was looked up is kept, that it is not there included. A commit changes what is kept and
//! adds nothing, so that a store which is written and never looked up takes no memory; ranges are
//! read below. All caches of a [`Room`] share its bytes alike.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::FixedState;
use quick_cache::Weighter;
use quick_cache::unsync::{Cache, DefaultLifecycle};
use smallvec::SmallVec;

use super::{Backend, Entries, Error, KeyRange, StoreId, Visit, Writes};
use crate::record::Column;

/// What a kept entry takes beside its bytes: places in a table and a list, and the room there for
/// short keys and values.
const OVERHEAD: usize = 120;

/// The memory that many caches share. Clones are the same room.
#[derive(Clone, Debug)]
pub struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: u64,
    sharers: AtomicU64,
}

impl Room {
    /// With so many bytes, for keys, values, and what it takes to find them.
    pub fn of(bytes: usize) -> Room {
        Room(Arc::new(Shared {
            bytes: bytes as u64,
            sharers: AtomicU64::new(0),
        }))
    }

    /// What each of those that share it may take now.
    fn share(&self) -> u64 {
        self.0.bytes / self.0.sharers.load(Ordering::Relaxed).max(1)
    }
}

/// A backend, and what was looked up in it. The only one that writes the stores it keeps.
pub struct Cached<B> {
    backend: B,
    /// By [`StoreId`]; `None`: nothing of the store is kept.
    stores: RefCell<Vec<Option<Kept>>>,
    sharers: u64,
    room: Room,
}

type Kept = Cache<Key, Entry, Bytes, FixedState, DefaultLifecycle<Key, Entry>>;

/// Short ones lie where they are found.
type Key = SmallVec<[u8; 32]>;
type Value = SmallVec<[u8; 16]>;

struct Entry {
    /// `None`: there is none.
    value: Option<Value>,
    timestamp: i64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Entry> for Bytes {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let value = entry.value.as_ref().map_or(0, SmallVec::len);
        (OVERHEAD + key.len() + value) as u64
    }
}

impl Entry {
    fn set(&mut self, value: Option<&[u8]>, timestamp: i64) {
        self.timestamp = timestamp;
        match (&mut self.value, value) {
            (Some(old), Some(new)) if old.len() == new.len() => old.copy_from_slice(new),
            (old, new) => *old = new.map(Value::from_slice),
        }
    }
}

impl<B: Backend> Cached<B> {
    /// `keeps`: for each store, by [`StoreId`], whether anything of it is kept. Nothing may be
    /// where others write the store.
    pub fn new(backend: B, keeps: impl IntoIterator<Item = bool>, room: &Room) -> Cached<B> {
        let keeps: Vec<bool> = keeps.into_iter().collect();
        let sharers = keeps.iter().filter(|keeps| **keeps).count() as u64;
        room.0.sharers.fetch_add(sharers, Ordering::Relaxed);
        let share = room.share();
        let stores = keeps.into_iter().map(|keeps| keeps.then(|| kept(share)));
        Cached {
            backend,
            stores: RefCell::new(stores.collect()),
            sharers,
            room: room.clone(),
        }
    }

    /// Others come and go, and each has its share; and values have grown.
    fn keep_to_share(&mut self) {
        let share = self.room.share();
        for kept in self.stores.get_mut().iter_mut().flatten() {
            if kept.capacity() != share || kept.weight() > share {
                kept.set_capacity(share);
            }
        }
    }
}

impl<B> Drop for Cached<B> {
    fn drop(&mut self) {
        self.room
            .0
            .sharers
            .fetch_sub(self.sharers, Ordering::Relaxed);
    }
}

fn kept(bytes: u64) -> Kept {
    let entries = usize::try_from(bytes).unwrap_or(usize::MAX) / (OVERHEAD + 40);
    let (hasher, lifecycle) = (FixedState::default(), DefaultLifecycle::default());
    Cache::with(entries, bytes, Bytes, hasher, lifecycle)
}

impl<B: Backend> Backend for Cached<B> {
    fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        let mut stores = self.stores.borrow_mut();
        let Some(kept) = stores.get_mut(store.0 as usize).and_then(Option::as_mut) else {
            return self.backend.get_many(store, keys);
        };
        let asked = || keys.iter().flatten();
        let found: Vec<Option<&Entry>> = asked().map(|key| kept.get(key)).collect();
        let unknown = || asked().zip(&found).filter(|(_, found)| found.is_none());
        let missing = Column::from_iter(unknown().map(|(key, _)| Some(key)));
        if missing.len() == keys.len() {
            let entries = self.backend.get_many(store, keys)?;
            keep(kept, keys, &entries);
            return Ok(entries);
        }
        let below = if missing.is_empty() {
            Entries::default()
        } else {
            self.backend.get_many(store, &missing)?
        };
        let mut entries = Entries {
            values: Column::with_capacity(keys.len(), keys.len() * 16),
            timestamps: Vec::with_capacity(keys.len()),
        };
        let mut looked_up = below.values.iter().zip(&below.timestamps);
        for found in found {
            let (value, timestamp) = match found {
                Some(entry) => (entry.value.as_deref(), entry.timestamp),
                None => looked_up
                    .next()
                    .map_or((None, 0), |(value, &at)| (value, at)),
            };
            entries.values.push(value);
            entries.timestamps.push(timestamp);
        }
        keep(kept, &missing, &below);
        Ok(entries)
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
        self.backend.commit(writes)?;
        for (store, writes) in writes {
            let kept = self.stores.get_mut().get_mut(store.0 as usize);
            let Some(kept) = kept
                .and_then(Option::as_mut)
                .filter(|kept| !kept.is_empty())
            else {
                continue;
            };
            if !writes.expired.is_empty() {
                let expired = |key: &[u8]| {
                    let mut ranges = writes.expired.iter();
                    ranges.any(|(start, end)| &**start <= key && key < &**end)
                };
                kept.retain(|key, _| !expired(key));
            }
            let rows = &writes.rows;
            for (row, key) in rows.keys.iter().enumerate() {
                let Some(key) = key else { continue };
                if let Some(mut entry) = kept.peek_mut(key) {
                    entry.set(rows.values.get(row), rows.timestamps[row]);
                }
            }
        }
        self.keep_to_share();
        Ok(())
    }

    fn changelog_end(&self, store: StoreId) -> Result<Option<i64>, Error> {
        self.backend.changelog_end(store)
    }

    fn wipe(&mut self, store: StoreId) -> Result<(), Error> {
        self.backend.wipe(store)?;
        let kept = self.stores.get_mut().get_mut(store.0 as usize);
        if let Some(kept) = kept.and_then(Option::as_mut) {
            kept.clear();
        }
        Ok(())
    }
}

fn keep(kept: &mut Kept, keys: &Column, entries: &Entries) {
    let entries = entries.values.iter().zip(&entries.timestamps);
    for (key, (value, &timestamp)) in keys.iter().zip(entries) {
        let value = value.map(Value::from_slice);
        if let Some(key) = key {
            kept.insert(Key::from_slice(key), Entry { value, timestamp });
        }
    }
}

#[cfg(test)]
mod tests;
