//! The overlay: what a task has written since its last commit, over what is committed.
//!
//! It is cache, changelog buffer and transaction in one: reads find uncommitted writes first, a
//! commit takes the last write of each key, and dropping it is the abort. It never writes to the
//! backend before [`Overlay::finish`].
//!
//! **Places.** A batch is handled node by node, so a node may read a store that another node has
//! already written for later rows. A place says where a write or read stands in the order that
//! row-by-row handling would have: levels of `u32`, compared lexicographically, the row's sequence
//! in the batch first, then the path below it, depth first. A shorter place stands before all that
//! it is the beginning of. Reads as of a place see the writes at that place or before.

use std::ops::{Bound, ControlFlow};

use super::layer::{Found, Layer, Undo};
use super::{Backend, Entries, Error, KeyRange, StoreId, Visit, Writes};
use crate::record::Column;

/// After every place of a batch: where writes without a place of their own stand.
pub const LAST_PLACE: &[u32] = &[u32::MAX];

/// Uncommitted writes of one task over the committed state of all its stores.
pub struct Overlay {
    backend: Box<dyn Backend>,
    layers: Vec<Layer>,
    undo: Vec<(StoreId, Undo)>,
    savepoints: usize,
    prepared: Option<Vec<(StoreId, Writes)>>,
    generation: u64,
}

/// A point to go back to. Ends with [`Overlay::release`] or with the batch.
#[derive(Debug)]
pub struct Savepoint {
    undo: usize,
}

impl Overlay {
    /// One store for each entry of `shared`, by [`StoreId`]; `true` where a node reads what another
    /// node writes.
    pub fn new(backend: Box<dyn Backend>, shared: &[bool]) -> Overlay {
        Overlay {
            backend,
            layers: shared.iter().map(|&shared| Layer::new(shared)).collect(),
            undo: Vec::new(),
            savepoints: 0,
            prepared: None,
            generation: 0,
        }
    }

    /// The committed state below.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Whether nothing has been written since the last commit.
    pub fn is_clean(&self) -> bool {
        self.layers.iter().all(Layer::is_empty)
    }

    /// Bytes of uncommitted writes, overwritten ones included: above a limit the worker commits.
    pub fn uncommitted_bytes(&self) -> usize {
        self.layers.iter().map(Layer::bytes).sum()
    }

    /// The latest entry of a key: value and timestamp. For many keys ask once with
    /// [`Overlay::get_many`].
    pub fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<(Vec<u8>, i64)>, Error> {
        self.get_one(store, key, None)
    }

    /// As [`Overlay::get`], as of a place.
    pub fn get_as_of(
        &self,
        store: StoreId,
        key: &[u8],
        place: &[u32],
    ) -> Result<Option<(Vec<u8>, i64)>, Error> {
        self.get_one(store, key, Some(place))
    }

    /// The latest entries of `keys`, in their order; null for a null key. One look-up below for all
    /// that were not written.
    pub fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        self.find_many(store, keys, |_| None)
    }

    /// As [`Overlay::get_many`], each key as of its row's place.
    pub fn get_many_as_of<'p>(
        &self,
        store: StoreId,
        keys: &Column,
        place_of: impl Fn(usize) -> &'p [u32],
    ) -> Result<Entries, Error> {
        self.find_many(store, keys, |row| Some(place_of(row)))
    }

    /// Visits the latest entries of a range in order until the visitor breaks. One seek below.
    pub fn range(
        &mut self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.merge_range(store, range, None, visit)
    }

    /// As [`Overlay::range`], as of a place.
    pub fn range_as_of(
        &mut self,
        store: StoreId,
        range: KeyRange<'_>,
        place: &[u32],
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        self.merge_range(store, range, Some(place), visit)
    }

    /// Puts, or deletes where the value is `None` (the timestamp is then that of the tombstone).
    /// `place` counts only where others read the store; [`LAST_PLACE`]: after all of the batch.
    pub fn put(
        &mut self,
        store: StoreId,
        place: &[u32],
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: i64,
    ) {
        assert!(
            self.prepared.is_none(),
            "no write between prepare and finish"
        );
        let recording = self.savepoints > 0;
        let undo = self.layers[store.0 as usize].put(key, value, timestamp, place, !recording);
        if recording {
            self.undo.push((store, undo));
        }
    }

    /// Deletes the keys in `[start, end)`, with one range delete below and no tombstones in the
    /// changelog. Only for what no reader asks for any more: reads as of a place in the batch at
    /// hand may still see them. Cost: one look at each uncommitted entry.
    pub fn expire(&mut self, store: StoreId, start: &[u8], end: &[u8]) {
        assert!(
            self.prepared.is_none(),
            "no write between prepare and finish"
        );
        let undo = self.layers[store.0 as usize].expire(start, end);
        if self.savepoints > 0 {
            self.undo.push((store, undo));
        }
    }

    /// From here on writes can be taken back. Savepoints nest.
    pub fn savepoint(&mut self) -> Savepoint {
        self.savepoints += 1;
        Savepoint {
            undo: self.undo.len(),
        }
    }

    /// Takes back all that was written since the savepoint, which stays.
    pub fn rollback_to(&mut self, savepoint: &Savepoint) {
        while self.undo.len() > savepoint.undo {
            let (store, undo) = self.undo.pop().expect("longer than the savepoint's");
            self.layers[store.0 as usize].undo(undo);
        }
        self.generation += 1;
    }

    /// Ends a savepoint and keeps what was written since.
    pub fn release(&mut self, savepoint: Savepoint) {
        debug_assert!(
            savepoint.undo <= self.undo.len(),
            "savepoints end inside out"
        );
        self.savepoints = self.savepoints.saturating_sub(1);
        if self.savepoints == 0 {
            self.undo.clear();
        }
    }

    /// Ends the batch: its places and savepoints are forgotten, the last write of each key stays.
    pub fn end_batch(&mut self) {
        self.layers.iter_mut().for_each(Layer::end_batch);
        self.undo.clear();
        self.savepoints = 0;
    }

    /// Ends the batch and closes the transaction's writes: for each store written, the last write
    /// of each key, ascending. The rows are what goes to the changelog. Nothing can be read or
    /// written until [`Overlay::finish`]; asked again, it answers the same.
    pub fn prepare(&mut self) -> &[(StoreId, Writes)] {
        self.end_batch();
        let layers = &mut self.layers;
        self.prepared.get_or_insert_with(|| {
            let written = (0_u32..)
                .zip(layers.iter_mut())
                .filter(|(_, layer)| !layer.is_empty());
            written
                .map(|(store, layer)| (StoreId(store), layer.take()))
                .collect()
        })
    }

    /// The transaction has committed: hands the prepared writes to the backend with the next
    /// offsets of the changelogs (a store may have an offset without a write), and gives back what
    /// was written.
    pub fn finish(
        &mut self,
        changelog_ends: &[(StoreId, i64)],
    ) -> Result<Vec<(StoreId, Writes)>, Error> {
        self.prepare();
        let mut writes = self.prepared.take().expect("just prepared");
        for &(store, end) in changelog_ends {
            match writes.iter_mut().find(|(written, _)| *written == store) {
                Some((_, writes)) => writes.changelog_end = Some(end),
                None => {
                    let only_end = Writes {
                        changelog_end: Some(end),
                        ..Writes::default()
                    };
                    writes.push((store, only_end));
                }
            }
        }
        if !writes.is_empty() {
            self.backend.commit(&writes)?;
        }
        self.generation += 1;
        Ok(writes)
    }

    /// What was written of a key, in the end or as of a place, without a look below.
    pub(super) fn written(&self, store: StoreId, key: &[u8], place: Option<&[u32]>) -> Found<'_> {
        self.layers[store.0 as usize].get(key, place)
    }

    /// Changes whenever something other than a write changes what is read: a commit, a rollback.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    fn get_one(
        &self,
        store: StoreId,
        key: &[u8],
        place: Option<&[u32]>,
    ) -> Result<Option<(Vec<u8>, i64)>, Error> {
        match self.layers[store.0 as usize].get(key, place) {
            Found::Value(value, timestamp) => Ok(Some((value.to_vec(), timestamp))),
            Found::Deleted => Ok(None),
            Found::Unknown => {
                let keys = Column::from_iter([Some(key)]);
                let entries = self.backend.get_many(store, &keys)?;
                Ok(entries
                    .values
                    .get(0)
                    .map(|value| (value.to_vec(), entries.timestamps[0])))
            }
        }
    }

    fn find_many<'p>(
        &self,
        store: StoreId,
        keys: &Column,
        place_of: impl Fn(usize) -> Option<&'p [u32]>,
    ) -> Result<Entries, Error> {
        let layer = &self.layers[store.0 as usize];
        let found: Vec<Found<'_>> = keys
            .iter()
            .enumerate()
            .map(|(row, key)| match key {
                Some(key) => layer.get(key, place_of(row)),
                None => Found::Deleted,
            })
            .collect();
        let misses = found
            .iter()
            .filter(|found| **found == Found::Unknown)
            .count();
        if misses == keys.len() {
            return self.backend.get_many(store, keys);
        }
        let mut below = Entries::default();
        if misses > 0 {
            let mut asked = Column::with_capacity(misses, misses * 16);
            let unknown = found
                .iter()
                .zip(keys.iter())
                .filter(|(f, _)| **f == Found::Unknown);
            unknown.for_each(|(_, key)| asked.push(key));
            below = self.backend.get_many(store, &asked)?;
        }
        let mut entries = Entries {
            values: Column::with_capacity(keys.len(), keys.len() * 16),
            timestamps: Vec::with_capacity(keys.len()),
        };
        let mut next_below = 0;
        for found in found {
            let (value, timestamp) = match found {
                Found::Value(value, timestamp) => (Some(value), timestamp),
                Found::Deleted => (None, 0),
                Found::Unknown => {
                    next_below += 1;
                    (
                        below.values.get(next_below - 1),
                        below.timestamps[next_below - 1],
                    )
                }
            };
            entries.values.push(value);
            entries.timestamps.push(timestamp);
        }
        Ok(entries)
    }

    fn merge_range(
        &mut self,
        store: StoreId,
        range: KeyRange<'_>,
        place: Option<&[u32]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        if is_empty(&range) {
            return Ok(());
        }
        let layer = &mut self.layers[store.0 as usize];
        if layer.is_empty() {
            return self.backend.range(store, range, visit);
        }
        layer.ordered();
        let layer = &*layer;
        let order = layer.order().expect("just ordered");
        let mut written = order.range::<[u8], _>((range.start, range.end));
        let mut pull = move || {
            if range.reverse {
                written.next_back()
            } else {
                written.next()
            }
        };
        let show = |key: &[u8], found: Found<'_>, visit: &mut Visit<'_>| match found {
            Found::Value(value, timestamp) => visit(key, value, timestamp),
            Found::Deleted | Found::Unknown => ControlFlow::Continue(()),
        };
        let mut ahead = pull();
        let mut stopped = false;
        self.backend
            .range(store, range, &mut |key, value, timestamp| {
                while let Some((own, &number)) = ahead {
                    let order = if range.reverse {
                        key.cmp(own)
                    } else {
                        (**own).cmp(key)
                    };
                    if order.is_gt() {
                        break;
                    }
                    ahead = pull();
                    let found = match layer.found(number, place) {
                        Found::Unknown if order.is_eq() => Found::Value(value, timestamp),
                        found => found,
                    };
                    if show(own, found, visit).is_break() {
                        stopped = true;
                        return ControlFlow::Break(());
                    }
                    if order.is_eq() {
                        return ControlFlow::Continue(());
                    }
                }
                if layer.has_expired(key) {
                    return ControlFlow::Continue(());
                }
                let flow = visit(key, value, timestamp);
                stopped = flow.is_break();
                flow
            })?;
        while let (false, Some((own, &number))) = (stopped, ahead) {
            stopped = show(own, layer.found(number, place), visit).is_break();
            ahead = pull();
        }
        Ok(())
    }
}

/// Whether no key can be in a range: its bounds meet or cross.
pub(super) fn is_empty(range: &KeyRange<'_>) -> bool {
    use Bound::{Excluded, Included};
    match (range.start, range.end) {
        (Included(start), Included(end)) => start > end,
        (Included(start) | Excluded(start), Included(end) | Excluded(end)) => start >= end,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
