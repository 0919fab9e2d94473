//! RocksDB, and the only file that knows of it.
//!
//! Writes go to its log without waiting for the disk, as Apache Kafka does with a page cache: they
//! outlive the process, whatever kills it, and not a power cut. `fsync` makes them outlive that
//! too.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rocksdb::{ColumnFamily, DB, Direction, IteratorMode, Options, WriteBatch, WriteOptions};

use super::{Changes, See, Store, Table};
use crate::error::Error;

const BATCHES: &str = "batches";
const RECORDS: &str = "records";

/// A database.
pub(crate) struct Rocks {
    db: DB,
    folder: PathBuf,
    options: WriteOptions,
}

impl Rocks {
    pub(crate) fn open(folder: &Path, fsync: bool) -> Result<Self, Error> {
        let failed = |reason: String| Error::Folder {
            folder: folder.to_owned(),
            reason,
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(2);
        options.set_max_open_files(256);
        let mut family = Options::default();
        family.set_write_buffer_size(32 << 20);
        family.set_max_write_buffer_number(3);
        let families = [(BATCHES, family.clone()), (RECORDS, family)];
        let db = DB::open_cf_with_opts(&options, folder, families).map_err(|error| {
            let reason = error.to_string();
            if reason.contains("lock") {
                Error::InUse {
                    folder: folder.to_owned(),
                }
            } else {
                failed(reason)
            }
        })?;
        let mut options = WriteOptions::default();
        options.set_sync(fsync);
        Ok(Self {
            db,
            folder: folder.to_owned(),
            options,
        })
    }

    fn family(&self, table: Table) -> &ColumnFamily {
        let name = match table {
            Table::Batches => BATCHES,
            Table::Records => RECORDS,
        };
        self.db
            .cf_handle(name)
            .expect("both families are made when the database is opened")
    }

    fn failed(&self, error: &rocksdb::Error) -> Error {
        Error::Folder {
            folder: self.folder.clone(),
            reason: error.to_string(),
        }
    }
}

impl Store for Rocks {
    fn is_durable(&self) -> bool {
        true
    }

    fn write(&self, changes: &Changes) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        for (table, key, value) in changes.iter() {
            match value {
                Some(value) => batch.put_cf(self.family(table), key, value),
                None => batch.delete_cf(self.family(table), key),
            }
        }
        self.db
            .write_opt(batch, &self.options)
            .map_err(|error| self.failed(&error))
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.db.get_cf(self.family(table), key);
        value
            .map(|value| value.map(Bytes::from))
            .map_err(|error| self.failed(&error))
    }

    fn scan(&self, table: Table, prefix: &[u8], see: See<'_>) -> Result<(), Error> {
        let from = IteratorMode::From(prefix, Direction::Forward);
        for entry in self.db.iterator_cf(self.family(table), from) {
            let (key, value) = entry.map_err(|error| self.failed(&error))?;
            if !key.starts_with(prefix) {
                break;
            }
            see(&key, &value)?;
        }
        Ok(())
    }
}
