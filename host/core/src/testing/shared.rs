//! Committed state that outlives its tasks, so that a crash can be tried: one backend a task, one
//! for all global tables.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::record::Column;
use crate::store::{Backend, Entries, Error, KeyRange, MemoryBackend, StoreId, Visit, Writes};

/// A memory backend that several own.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<MemoryBackend>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, MemoryBackend> {
        self.0.lock().expect("a test that panicked has ended")
    }
}

/// What a task reads and commits to: its own stores, and the global ones, which it only reads.
pub(super) struct TaskBackend {
    pub(super) own: Shared,
    pub(super) global: Shared,
    /// By [`StoreId`].
    pub(super) is_global: Vec<bool>,
}

impl TaskBackend {
    fn of(&self, store: StoreId) -> MutexGuard<'_, MemoryBackend> {
        if self.is_global[store.0 as usize] {
            self.global.lock()
        } else {
            self.own.lock()
        }
    }
}

impl Backend for TaskBackend {
    fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        self.of(store).get_many(store, keys)
    }

    fn range(
        &self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.of(store).range(store, range, visit)
    }

    fn commit(&mut self, writes: &[(StoreId, Writes)]) -> Result<(), Error> {
        self.own.lock().commit(writes)
    }

    fn changelog_end(&self, store: StoreId) -> Result<Option<i64>, Error> {
        self.of(store).changelog_end(store)
    }

    fn wipe(&mut self, store: StoreId) -> Result<(), Error> {
        self.own.lock().wipe(store)
    }
}
