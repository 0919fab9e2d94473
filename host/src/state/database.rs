//! The database of one service on one host.
//!
//! Column families: one a store, by the store's name, and `weir.offsets` for the changelog offsets.
//! Stores that the service no longer has are kept, so that a version that goes back to them finds
//! them, until [`Database::forget`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rocksdb::{ColumnFamilyDescriptor, Options};
use weir_core::store::Cached;
use weir_core::topology::{StoreKind, StoreSpec};

use super::backend::TaskState;
use super::error::Error;
use super::family::{Family, OFFSETS, Rocks};
use super::memory::Memory;
use super::view::View;

/// RocksDB wants it; nothing is in it.
const DEFAULT: &str = "default";

/// A service's state on this host. Cheap to clone; the folder is locked as long as one clone lives.
#[derive(Clone)]
pub struct Database {
    rocks: Arc<Rocks>,
    /// All column families of stores, known to this topology or not.
    names: Arc<Mutex<BTreeSet<String>>>,
    memory: Memory,
    folder: PathBuf,
}

impl Database {
    /// Opens the database in `folder`, or makes it. Replays what was written since the last flush.
    /// Errors: [`Error::InUse`], [`Error::Damaged`], [`Error::Unusable`].
    pub fn open(folder: &Path, memory: &Memory) -> Result<Database, Error> {
        let unusable = |error: std::io::Error| Error::Unusable {
            folder: folder.to_owned(),
            reason: error.to_string(),
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let options = memory.database();
        let mut names: BTreeSet<String> = if folder.join("CURRENT").exists() {
            let listed = Rocks::list_cf(&Options::default(), folder);
            listed
                .map_err(|error| Error::of(folder, &error))?
                .into_iter()
                .collect()
        } else {
            BTreeSet::new()
        };
        names.extend([DEFAULT.to_owned(), OFFSETS.to_owned()]);
        let families = names
            .iter()
            .map(|name| ColumnFamilyDescriptor::new(name, memory.store()));
        let rocks = Rocks::open_cf_descriptors(&options, folder, families)
            .map_err(|error| Error::of(folder, &error))?;
        names.retain(|name| name != DEFAULT && name != OFFSETS);
        Ok(Database {
            rocks: Arc::new(rocks),
            names: Arc::new(Mutex::new(names)),
            memory: memory.clone(),
            folder: folder.to_owned(),
        })
    }

    /// Deletes a database that is not open.
    pub fn destroy(folder: &Path) -> Result<(), Error> {
        Rocks::destroy(&Options::default(), folder).map_err(|error| Error::of(folder, &error))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The committed state of a task of this partition: its own stores, and the global ones as
    /// everyone sees them. `stores`: all of the topology, in its order. With [`super::GLOBAL`] as
    /// the partition, the global stores alone are of use. Stores that are not there yet are made.
    pub fn task(&self, partition: u32, stores: &[StoreSpec]) -> Result<TaskState, Error> {
        Ok(TaskState::new(
            self.rocks.clone(),
            self.families(partition, stores)?,
        ))
    }

    /// The same, with entries that were looked up kept in memory: for a task that works, of which
    /// there is one at a time. Of windows and sessions none are kept, since most keys are new.
    pub fn cached(&self, state: TaskState, stores: &[StoreSpec]) -> Cached<TaskState> {
        let kept = |store: &StoreSpec| !store.global && store.kind == StoreKind::KeyValue;
        Cached::new(state, stores.iter().map(kept), self.memory.entries())
    }

    /// A reader's view of the same, which stays as it is now while transactions go on. Cheap: make
    /// one for each query.
    pub fn view(&self, partition: u32, stores: &[StoreSpec]) -> Result<View<'_>, Error> {
        Ok(View::new(&self.rocks, self.families(partition, stores)?))
    }

    /// The stores that are kept though `stores` does not have them.
    pub fn unknown(&self, stores: &[StoreSpec]) -> Vec<String> {
        let known = |name: &String| stores.iter().any(|store| store.name == *name);
        self.names
            .lock()
            .iter()
            .filter(|name| !known(name))
            .cloned()
            .collect()
    }

    /// Deletes a store of all partitions and its offsets.
    pub fn forget(&self, store: &str) -> Result<(), Error> {
        let failed = |error: rocksdb::Error| Error::of(&self.folder, &error);
        if self.rocks.cf_handle(store).is_some() {
            self.rocks.drop_cf(store).map_err(failed)?;
        }
        self.names.lock().remove(store);
        let offsets = self
            .rocks
            .cf_handle(OFFSETS)
            .expect("it is made when the database is opened");
        let keys = self
            .rocks
            .iterator_cf(&offsets, rocksdb::IteratorMode::Start);
        for entry in keys {
            let (key, _) = entry.map_err(failed)?;
            if key.get(4..) == Some(store.as_bytes()) {
                self.rocks.delete_cf(&offsets, key).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Hard links to the files as they are now, in a folder that must not exist: a state to go back
    /// to, at no cost of space until the files go.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), Error> {
        let made = rocksdb::checkpoint::Checkpoint::new(&self.rocks)
            .and_then(|checkpoint| checkpoint.create_checkpoint(folder));
        made.map_err(|error| Error::of(folder, &error))
    }

    /// Bytes on the disk, and an estimate of entries, of all stores.
    pub fn size(&self) -> (u64, u64) {
        let sum = |property: &str| {
            let of = |name: &String| {
                let family = self.rocks.cf_handle(name)?;
                self.rocks
                    .property_int_value_cf(&family, property)
                    .ok()
                    .flatten()
            };
            self.names.lock().iter().filter_map(of).sum()
        };
        (
            sum("rocksdb.total-sst-files-size"),
            sum("rocksdb.estimate-num-keys"),
        )
    }

    fn families(&self, partition: u32, stores: &[StoreSpec]) -> Result<Vec<Family>, Error> {
        let mut names = self.names.lock();
        for store in stores
            .iter()
            .filter(|store| !names.contains(&store.name))
            .collect::<Vec<_>>()
        {
            let made = self.rocks.create_cf(&store.name, &self.memory.store());
            made.map_err(|error| Error::of(&self.folder, &error))?;
            names.insert(store.name.clone());
        }
        drop(names);
        let of = |store: &StoreSpec| {
            let partition = if store.global {
                super::GLOBAL
            } else {
                partition
            };
            Family {
                name: store.name.clone(),
                partition,
            }
        };
        Ok(stores.iter().map(of).collect())
    }
}
