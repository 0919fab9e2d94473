//! Committed state in memory: the backend of the driver and of tests.
//!
//! A handle: clones see the same state, so that a task can be dropped (a crash) and another be
//! built on what it had committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::overlay::is_empty;
use super::{Backend, Entries, Error, KeyRange, StoreId, Visit, Writes};
use crate::record::Column;

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<Vec<u8>, (Vec<u8>, i64)>,
    changelog_end: Option<i64>,
}

/// A backend in memory. Cloning it is cheap and shares the state.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    tables: Arc<Mutex<BTreeMap<StoreId, Table>>>,
    globals: BTreeSet<StoreId>,
    global: Option<Box<MemoryBackend>>,
}

impl MemoryBackend {
    /// Nothing committed yet.
    pub fn new() -> MemoryBackend {
        MemoryBackend::default()
    }

    /// Reads and writes of `stores` go to `global`, which other tasks share.
    #[must_use]
    pub fn with_globals(
        mut self,
        stores: impl IntoIterator<Item = StoreId>,
        global: &MemoryBackend,
    ) -> MemoryBackend {
        self.globals.extend(stores);
        self.global = Some(Box::new(global.clone()));
        self
    }

    /// All entries of a store in key order: key, value, timestamp.
    pub fn entries(&self, store: StoreId) -> Vec<(Vec<u8>, Vec<u8>, i64)> {
        let tables = self.tables_of(store);
        let entries = tables
            .get(&store)
            .into_iter()
            .flat_map(|table| &table.entries);
        entries
            .map(|(key, (value, timestamp))| (key.clone(), value.clone(), *timestamp))
            .collect()
    }

    fn tables_of(&self, store: StoreId) -> MutexGuard<'_, BTreeMap<StoreId, Table>> {
        match &self.global {
            Some(global) if self.globals.contains(&store) => global.tables_of(store),
            _ => self.tables.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Backend for MemoryBackend {
    fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        let tables = self.tables_of(store);
        let table = tables.get(&store);
        let mut entries = Entries::default();
        for key in keys.iter() {
            let found = key.and_then(|key| table?.entries.get(key));
            entries
                .values
                .push(found.map(|(value, _)| value.as_slice()));
            entries
                .timestamps
                .push(found.map_or(0, |(_, timestamp)| *timestamp));
        }
        Ok(entries)
    }

    fn range(
        &self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        if is_empty(&range) {
            return Ok(());
        }
        let tables = self.tables_of(store);
        let Some(table) = tables.get(&store) else {
            return Ok(());
        };
        let mut entries = table.entries.range::<[u8], _>((range.start, range.end));
        let mut next = || {
            if range.reverse {
                entries.next_back()
            } else {
                entries.next()
            }
        };
        while let Some((key, (value, timestamp))) = next() {
            if visit(key, value, *timestamp).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn commit(&mut self, writes: &[(StoreId, Writes)]) -> Result<(), Error> {
        for (store, writes) in writes {
            let ascending = writes.rows.keys.iter().is_sorted_by(|a, b| a < b);
            assert!(
                ascending,
                "writes of a store come ascending by key, each key once"
            );
            let mut tables = self.tables_of(*store);
            let table = tables.entry(*store).or_default();
            for (start, end) in &writes.expired {
                table.entries.retain(|key, _| key < start || key >= end);
            }
            for row in 0..writes.rows.len() {
                let key = writes
                    .rows
                    .keys
                    .get(row)
                    .expect("a written key is never null");
                match writes.rows.values.get(row) {
                    None => table.entries.remove(key),
                    Some(value) => {
                        let entry = (value.to_vec(), writes.rows.timestamps[row]);
                        table.entries.insert(key.to_vec(), entry)
                    }
                };
            }
            table.changelog_end = writes.changelog_end.or(table.changelog_end);
        }
        Ok(())
    }

    fn changelog_end(&self, store: StoreId) -> Result<Option<i64>, Error> {
        Ok(self
            .tables_of(store)
            .get(&store)
            .and_then(|table| table.changelog_end))
    }

    fn wipe(&mut self, store: StoreId) -> Result<(), Error> {
        self.tables_of(store).remove(&store);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::store_contract;

    #[test]
    fn the_memory_backend_keeps_the_contract() {
        store_contract(|| Box::new(MemoryBackend::new()), |backend| backend);
    }

    #[test]
    fn clones_and_global_stores_share_what_is_committed() {
        let global = MemoryBackend::new();
        let mut task = MemoryBackend::new().with_globals([StoreId(7)], &global);
        let mut writes = Writes::default();
        writes.rows.push(Some(b"k"), Some(b"v"), 1);
        task.commit(&[(StoreId(7), writes.clone()), (StoreId(0), writes)])
            .expect("in memory");
        let entry = (b"k".to_vec(), b"v".to_vec(), 1);
        assert_eq!(global.entries(StoreId(7)), std::slice::from_ref(&entry));
        assert_eq!(global.entries(StoreId(0)), []);
        assert_eq!(task.clone().entries(StoreId(0)), [entry]);
    }
}
