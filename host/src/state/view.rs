//! Committed state as queries see it: one moment of it, whatever is committed meanwhile.

use rocksdb::{ReadOptions, SnapshotWithThreadMode};
use weir_core::record::Column;
use weir_core::store::{Entries, Error, KeyRange, StoreId, Visit};

use super::family::{Family, Rocks, entries, family, walk};

/// A moment of one partition's stores and of the global ones. While it lives, what is overwritten
/// stays on the disk.
pub struct View<'a> {
    rocks: &'a Rocks,
    snapshot: SnapshotWithThreadMode<'a, Rocks>,
    families: Vec<Family>,
}

impl<'a> View<'a> {
    pub(super) fn new(rocks: &'a Rocks, families: Vec<Family>) -> View<'a> {
        View {
            rocks,
            snapshot: rocks.snapshot(),
            families,
        }
    }

    /// As [`weir_core::store::Backend::get_many`].
    pub fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error> {
        let family = family(&self.families, store)?;
        let handle = family.handle(self.rocks)?;
        let arena = family.prefixed(keys);
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        let sorted = arena.sorted();
        let found = self
            .rocks
            .batched_multi_get_cf_opt(&handle, arena.iter(), sorted, &options);
        entries(family, found)
    }

    /// As [`weir_core::store::Backend::range`].
    pub fn range(
        &self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let family = family(&self.families, store)?;
        let Some(options) = family.bounds(range) else {
            return Ok(());
        };
        let handle = family.handle(self.rocks)?;
        walk(
            family,
            self.snapshot.raw_iterator_cf_opt(&handle, options),
            range.reverse,
            visit,
        )
    }
}
