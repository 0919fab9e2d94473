//! A task's committed state: the engine's [`Backend`] on RocksDB.

use std::sync::Arc;

use rocksdb::WriteBatch;
use weir_core::record::Column;
use weir_core::store::{Backend, Entries, Error, KeyRange, StoreId, Visit, Writes};

use super::error::of_store;
use super::family::{Family, OFFSETS, Rocks, entries, family, walk};

/// The committed state of one task.
pub struct TaskState {
    rocks: Arc<Rocks>,
    families: Vec<Family>,
}

impl TaskState {
    pub(super) fn new(rocks: Arc<Rocks>, families: Vec<Family>) -> TaskState {
        TaskState { rocks, families }
    }
}

impl Backend for TaskState {
    fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        let family = family(&self.families, store)?;
        let handle = family.handle(&self.rocks)?;
        let arena = family.prefixed(keys);
        let sorted = arena.sorted();
        let found = self
            .rocks
            .batched_multi_get_cf(&handle, arena.iter(), sorted);
        entries(family, found)
    }

    fn range(
        &self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let family = family(&self.families, store)?;
        let Some(options) = family.bounds(range) else {
            return Ok(());
        };
        let handle = family.handle(&self.rocks)?;
        walk(
            family,
            self.rocks.raw_iterator_cf_opt(&handle, options),
            range.reverse,
            visit,
        )
    }

    fn commit(&mut self, writes: &[(StoreId, Writes)]) -> Result<(), Error> {
        let offsets = self
            .rocks
            .cf_handle(OFFSETS)
            .ok_or_else(|| of_store(OFFSETS, "it is gone"))?;
        let mut batch = WriteBatch::default();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for (store, writes) in writes {
            let family = family(&self.families, *store)?;
            let handle = family.handle(&self.rocks)?;
            for (start, end) in &writes.expired {
                batch.delete_range_cf(&handle, family.key(start), family.key(end));
            }
            for (row, entry) in writes.rows.keys.iter().enumerate() {
                key.clear();
                key.extend_from_slice(&family.partition.to_be_bytes());
                key.extend_from_slice(
                    entry.ok_or_else(|| of_store(&family.name, "a write without a key"))?,
                );
                match writes.rows.values.get(row) {
                    None => batch.delete_cf(&handle, &key),
                    Some(bytes) => {
                        value.clear();
                        value.extend_from_slice(&writes.rows.timestamps[row].to_be_bytes());
                        value.extend_from_slice(bytes);
                        batch.put_cf(&handle, &key, &value);
                    }
                }
            }
            if let Some(end) = writes.changelog_end {
                batch.put_cf(&offsets, family.offset_key(), end.to_be_bytes());
            }
        }
        let first = writes
            .first()
            .and_then(|(store, _)| self.families.get(store.0 as usize));
        let named = |error| of_store(first.map_or("", |family| &family.name), error);
        self.rocks.write(batch).map_err(named)
    }

    fn changelog_end(&self, store: StoreId) -> Result<Option<i64>, Error> {
        let family = family(&self.families, store)?;
        let offsets = self
            .rocks
            .cf_handle(OFFSETS)
            .ok_or_else(|| of_store(OFFSETS, "it is gone"))?;
        let found = self.rocks.get_pinned_cf(&offsets, family.offset_key());
        let found = found.map_err(|error| of_store(&family.name, error))?;
        let Some(bytes) = found else { return Ok(None) };
        let bytes = <[u8; 8]>::try_from(&*bytes)
            .map_err(|_| of_store(&family.name, "a malformed offset"))?;
        Ok(Some(i64::from_be_bytes(bytes)))
    }

    fn wipe(&mut self, store: StoreId) -> Result<(), Error> {
        let family = family(&self.families, store)?;
        let handle = family.handle(&self.rocks)?;
        let offsets = self
            .rocks
            .cf_handle(OFFSETS)
            .ok_or_else(|| of_store(OFFSETS, "it is gone"))?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(&handle, family.key(&[]), family.end());
        batch.delete_cf(&offsets, family.offset_key());
        self.rocks
            .write(batch)
            .map_err(|error| of_store(&family.name, error))
    }
}
