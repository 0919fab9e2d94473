//! The pool of instances that answer queries, and the committed state that they see.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use weir_core::functions::{State, StateError};
use weir_core::record::Column;
use weir_core::store::{KeyRange, StoreId};
use weir_core::topology::Topology;

use crate::state::{GLOBAL, View};

use super::blueprint::Blueprint;
use super::program::Guest;
use super::watch::Watcher;

/// Entries that one `range` of a query gives.
const MAX_RANGE: u32 = 100_000;

/// An instance that waits for a query, and the version that it is of.
type Idle = (Arc<Blueprint>, Box<dyn Guest>);

/// Instances for queries: as many as may run at once.
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    pub(super) permits: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(instances: usize) -> Pool {
        Pool {
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(instances)),
        }
    }

    /// An instance of this version. Those of others are thrown away.
    pub(super) fn take(&self, blueprint: &Arc<Blueprint>) -> Result<Box<dyn Guest>, String> {
        let mut idle = self.idle.lock();
        idle.retain(|(version, _)| Arc::ptr_eq(version, blueprint));
        match idle.pop() {
            Some((_, guest)) => Ok(guest),
            None => {
                drop(idle);
                blueprint.program.instance()
            }
        }
    }

    /// Gives an instance back.
    pub(super) fn give_back(&self, blueprint: &Arc<Blueprint>, guest: Box<dyn Guest>) {
        self.idle.lock().push((Arc::clone(blueprint), guest));
    }
}

/// Committed state, as one query sees it: every key that it reads is watched.
pub(super) struct Seen<'a> {
    pub(super) view: View<'a>,
    pub(super) topology: &'a Topology,
    pub(super) stores: &'a [StoreId],
    pub(super) partition: u32,
    pub(super) watcher: &'a Watcher,
}

impl Seen<'_> {
    fn store(&self, position: u32) -> Result<(StoreId, u32), StateError> {
        let Some(&store) = self.stores.get(position as usize) else {
            let declared = self.stores.len();
            return Err(StateError::Misuse(format!(
                "store number {position} of {declared} declared by the route"
            )));
        };
        let global = self.topology.store(store).global;
        Ok((store, if global { GLOBAL } else { self.partition }))
    }
}

impl State for Seen<'_> {
    fn get_many(&mut self, store: u32, _row: u32, keys: &Column) -> Result<Column, StateError> {
        let (store, partition) = self.store(store)?;
        for key in keys.iter() {
            let key =
                key.ok_or_else(|| StateError::Misuse("a null key has no entry".to_owned()))?;
            self.watcher.watch(store, partition, Some(key));
        }
        let entries = self.view.get_many(store, keys);
        entries
            .map(|entries| entries.values)
            .map_err(|error| StateError::Backend(error.to_string()))
    }

    fn put(&mut self, _: u32, _: u32, _: &[u8], _: Option<&[u8]>) -> Result<(), StateError> {
        Err(StateError::Misuse(
            "a query may not write; declare the route as a command".to_owned(),
        ))
    }

    fn range(
        &mut self,
        store: u32,
        _row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> Result<(Column, Column), StateError> {
        let (store, partition) = self.store(store)?;
        self.watcher.watch(store, partition, None);
        let range = KeyRange {
            start: start.map_or(Bound::Unbounded, Bound::Included),
            end: end.map_or(Bound::Unbounded, Bound::Excluded),
            reverse: false,
        };
        let limit = limit.min(MAX_RANGE) as usize;
        let (mut keys, mut values) = (Column::default(), Column::default());
        if limit == 0 {
            return Ok((keys, values));
        }
        let walked = self.view.range(store, range, &mut |key, value, _| {
            keys.push(Some(key));
            values.push(Some(value));
            if keys.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        walked.map_err(|error| StateError::Backend(error.to_string()))?;
        Ok((keys, values))
    }
}
