//! What can go wrong with a database, named for the caller's next move.

use std::path::{Path, PathBuf};

/// A database cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it. Caller: stop, and show it to the operator.
    #[error(
        "the state in {} is in use by another weir process; \
         stop that one, or give this one its own `state` folder",
        folder.display()
    )]
    InUse {
        /// Of the database.
        folder: PathBuf,
    },
    /// What is there cannot be trusted. Caller: [`super::Database::destroy`], open anew, restore
    /// from the changelogs.
    #[error(
        "the state in {} is damaged ({reason}); it will be restored from the changelogs",
        folder.display()
    )]
    Damaged {
        /// Of the database.
        folder: PathBuf,
        /// RocksDB's word.
        reason: String,
    },
    /// The file system refuses: permissions, no space. Caller: stop, and show it to the operator.
    #[error(
        "the state in {} cannot be used: {reason}; \
         check the disk's space and the folder's permissions",
        folder.display()
    )]
    Unusable {
        /// Of the database.
        folder: PathBuf,
        /// RocksDB's or the system's word.
        reason: String,
    },
}

impl Error {
    pub(super) fn of(folder: &Path, error: &rocksdb::Error) -> Error {
        let (folder, reason) = (folder.to_owned(), error.clone().into_string());
        match error.kind() {
            rocksdb::ErrorKind::Corruption | rocksdb::ErrorKind::NotFound => {
                Error::Damaged { folder, reason }
            }
            _ if reason.contains("lock") => Error::InUse { folder },
            _ => Error::Unusable { folder, reason },
        }
    }
}

/// The engine's form of an error of one store.
pub(super) fn of_store(store: &str, reason: impl ToString) -> weir_core::store::Error {
    weir_core::store::Error {
        store: store.to_owned(),
        reason: reason.to_string(),
    }
}
