//! What outlives the process: a small port, and the two things behind it.
//!
//! All changes of one request are one atomic write ([`Changes`]), made before the request is
//! answered. Everything is found again by [`recovery`].

mod changes;
pub(crate) mod layout;
pub(crate) mod recovery;
mod rocks;

use std::path::Path;

use bytes::Bytes;

pub(crate) use self::changes::{Changes, Table};
use self::rocks::Rocks;
use crate::error::Error;

/// Is shown a key and its value.
pub(crate) type See<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), Error>;

/// Where data are kept. All calls block.
pub(crate) trait Store: Send + Sync {
    /// Whether anything is kept at all.
    fn is_durable(&self) -> bool;

    /// Makes all changes or none.
    fn write(&self, changes: &Changes) -> Result<(), Error>;

    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Shows all entries whose keys begin with `prefix`, in order of their keys.
    fn scan(&self, table: Table, prefix: &[u8], see: See<'_>) -> Result<(), Error>;
}

/// Keeps nothing: the state in memory is all there is.
struct Nothing;

impl Store for Nothing {
    fn is_durable(&self) -> bool {
        false
    }

    fn write(&self, _: &Changes) -> Result<(), Error> {
        Ok(())
    }

    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(None)
    }

    fn scan(&self, _: Table, _: &[u8], _: See<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// A store that forgets.
pub(crate) fn in_memory() -> Box<dyn Store> {
    Box::new(Nothing)
}

/// The store in a folder, which is made if it is not there. `fsync`: every write is on the disk
/// before it counts.
pub(crate) fn in_folder(folder: &Path, fsync: bool) -> Result<Box<dyn Store>, Error> {
    Ok(Box::new(Rocks::open(folder, fsync)?))
}
