//! Stores: what operators remember.
//!
//! Every store is one ordered space of byte keys, whatever its kind; an entry has a value and a
//! timestamp. Committed entries stand behind the port [`Backend`]; what a transaction has written
//! so far is an overlay over it.

pub mod buffer;
pub mod cached;
pub mod contract;
pub mod join_window;
mod layer;
pub mod memory;
pub mod overlay;
mod segments;
pub mod session;
mod timed_keys;
pub mod versions;
pub mod window;

use std::ops::{Bound, ControlFlow};

pub use buffer::Buffer;
pub use cached::{Cached, Room};
pub use join_window::JoinWindow;
pub use memory::MemoryBackend;
pub use overlay::{LAST_PLACE, Overlay, Savepoint};
pub use session::SessionStore;
pub use versions::Versions;
pub use window::WindowStore;

use crate::record::{Batch, Column};

/// The number of a store in its topology: its position in the compiled topology's list of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u32);

/// Values and timestamps, one a key asked for; null and 0 where there is no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Null: no entry.
    pub values: Column,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
}

/// A range of keys, by their bytes.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// Lower bound.
    pub start: Bound<&'a [u8]>,
    /// Upper bound.
    pub end: Bound<&'a [u8]>,
    /// From the highest key down.
    pub reverse: bool,
}

/// What one transaction changed in one store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// The last write of each key, ascending by key; a null value deletes. No headers.
    pub rows: Batch,
    /// Ranges `[start, end)` to delete before the rows are put: what has expired.
    pub expired: Vec<(Vec<u8>, Vec<u8>)>,
    /// The changelog's next offset after these rows, where the store has one.
    pub changelog_end: Option<i64>,
}

/// A visitor of entries: key, value, timestamp.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8], i64) -> ControlFlow<()> + 'a;

/// Committed entries of one task's stores (and of the global tables, which all tasks read).
///
/// Reads see only what [`Backend::commit`] has taken; a commit is atomic over all stores, offsets
/// included.
pub trait Backend: Send {
    /// The entries of `keys` (none of them null), in their order. One batched look-up.
    fn get_many(&self, store: StoreId, keys: &Column) -> Result<Entries, Error>;

    /// Visits the entries of a range in key order until the visitor breaks. One seek.
    fn range(
        &self,
        store: StoreId,
        range: KeyRange<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error>;

    /// Takes the writes of a transaction that has committed, all or nothing.
    fn commit(&mut self, writes: &[(StoreId, Writes)]) -> Result<(), Error>;

    /// The changelog offset up to which the store's entries are complete; `None`: nothing was
    /// restored yet.
    fn changelog_end(&self, store: StoreId) -> Result<Option<i64>, Error>;

    /// Deletes all entries of a store and forgets its changelog offset.
    fn wipe(&mut self, store: StoreId) -> Result<(), Error>;
}

/// The backend failed: committed state cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("state of store `{store}`: {reason}")]
pub struct Error {
    /// The store's name, or its number where the backend knows no name.
    pub store: String,
    /// What the backend said.
    pub reason: String,
}
