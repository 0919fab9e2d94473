//! Where a store's entries are, and how they are laid out.
//!
//! A store is one column family. A key is the partition (4 bytes, big-endian) and the entry's key;
//! a value is the timestamp (8 bytes, big-endian) and the entry's value.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use rocksdb::{
    BoundColumnFamily, DBAccess, DBPinnableSlice, DBRawIteratorWithThreadMode, DBWithThreadMode,
    MultiThreaded, ReadOptions,
};
use weir_core::record::Column;
use weir_core::store::{Entries, Error, KeyRange, StoreId, Visit};

use super::error::of_store;

/// RocksDB, with column families that may come and go while threads use it.
pub(super) type Rocks = DBWithThreadMode<MultiThreaded>;

/// Where changelog offsets are kept: the store's prefix, then its name.
pub(super) const OFFSETS: &str = "weir.offsets";

const PREFIX: usize = 4;
const STAMP: usize = 8;

/// Where a store's entries are.
pub(super) struct Family {
    pub(super) name: String,
    pub(super) partition: u32,
}

pub(super) fn family(families: &[Family], store: StoreId) -> Result<&Family, Error> {
    families
        .get(store.0 as usize)
        .ok_or_else(|| of_store(&store.0.to_string(), "unknown to this task"))
}

impl Family {
    pub(super) fn handle<'a>(&self, rocks: &'a Rocks) -> Result<Arc<BoundColumnFamily<'a>>, Error> {
        rocks
            .cf_handle(&self.name)
            .ok_or_else(|| of_store(&self.name, "it was deleted while in use"))
    }

    pub(super) fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.partition.to_be_bytes()[..], key].concat()
    }

    /// The key after all of this partition.
    pub(super) fn end(&self) -> Vec<u8> {
        (self.partition + 1).to_be_bytes().to_vec()
    }

    pub(super) fn offset_key(&self) -> Vec<u8> {
        self.key(self.name.as_bytes())
    }

    pub(super) fn prefixed(&self, keys: &Column) -> Keys {
        let mut arena = Keys {
            bytes: Vec::with_capacity(keys.bytes().len() + keys.len() * PREFIX),
            ends: Vec::with_capacity(keys.len()),
        };
        for key in keys.iter() {
            arena.bytes.extend_from_slice(&self.partition.to_be_bytes());
            arena
                .bytes
                .extend_from_slice(key.expect("a key that is looked up is not null"));
            arena.ends.push(arena.bytes.len());
        }
        arena
    }

    /// Options that keep an iterator inside the range; `None`: nothing can be inside.
    pub(super) fn bounds(&self, range: KeyRange<'_>) -> Option<ReadOptions> {
        // The next key in the order of bytes is the key and a zero.
        let after = |key: &[u8]| [&self.key(key)[..], &[0]].concat();
        let start = match range.start {
            Bound::Unbounded => self.key(&[]),
            Bound::Included(key) => self.key(key),
            Bound::Excluded(key) => after(key),
        };
        let end = match range.end {
            Bound::Unbounded => self.end(),
            Bound::Included(key) => after(key),
            Bound::Excluded(key) => self.key(key),
        };
        if start >= end {
            return None;
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(start);
        options.set_iterate_upper_bound(end);
        Some(options)
    }
}

/// Keys with their prefix, back to back.
pub(super) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(&start, &end)| &self.bytes[start..end])
    }

    pub(super) fn sorted(&self) -> bool {
        self.iter().is_sorted()
    }
}

pub(super) type Found<'a> = Vec<Result<Option<DBPinnableSlice<'a>>, rocksdb::Error>>;

/// What was looked up, in columns.
pub(super) fn entries(family: &Family, found: Found<'_>) -> Result<Entries, Error> {
    let mut entries = Entries::default();
    entries.timestamps.reserve(found.len());
    for entry in found {
        match entry.map_err(|error| of_store(&family.name, error))? {
            None => {
                entries.values.push(None);
                entries.timestamps.push(0);
            }
            Some(bytes) => {
                let (timestamp, value) = parted(family, &bytes)?;
                entries.values.push(Some(value));
                entries.timestamps.push(timestamp);
            }
        }
    }
    Ok(entries)
}

/// Visits the entries that a bounded iterator gives.
pub(super) fn walk<D: DBAccess>(
    family: &Family,
    mut entries: DBRawIteratorWithThreadMode<'_, D>,
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    if reverse {
        entries.seek_to_last();
    } else {
        entries.seek_to_first();
    }
    while let Some((key, bytes)) = entries.item() {
        let (timestamp, value) = parted(family, bytes)?;
        if let ControlFlow::Break(()) = visit(&key[PREFIX..], value, timestamp) {
            return Ok(());
        }
        if reverse {
            entries.prev();
        } else {
            entries.next();
        }
    }
    entries
        .status()
        .map_err(|error| of_store(&family.name, error))
}

fn parted<'a>(family: &Family, bytes: &'a [u8]) -> Result<(i64, &'a [u8]), Error> {
    let (stamp, value) = bytes
        .split_first_chunk::<STAMP>()
        .ok_or_else(|| of_store(&family.name, "a malformed entry"))?;
    Ok((i64::from_be_bytes(*stamp), value))
}
