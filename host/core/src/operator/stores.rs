//! The stores of a processor or a command, as its function sees them.
//!
//! Each call is made on behalf of a row and reads as of that row's place. Operators' own stores can
//! be read, never written; windows and sessions by their keys as topics carry them, one by one,
//! since their order in the store is another. What joins and suppress keep stays closed.

use std::ops::{Bound, ControlFlow};

use crate::functions::{State, StateError};
use crate::limits::Limits;
use crate::pass::flow::Places;
use crate::record::Column;
use crate::store::{self, KeyRange, Overlay, SessionStore, StoreId, WindowStore};
use crate::topology::{StoreKind, StoreSpec, Topology};

/// The port [`State`] over a task's overlay.
pub(crate) struct Stores<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) limits: &'a Limits,
    pub(crate) overlay: &'a mut Overlay,
    /// By position in the declaration.
    pub(crate) stores: &'a [StoreId],
    /// Of the node's rows.
    pub(crate) places: &'a Places,
    /// The first and the number of the rows of this call.
    pub(crate) first: usize,
    pub(crate) rows: usize,
    /// Timestamps of the rows of this call, for what they write.
    pub(crate) timestamps: &'a [i64],
    /// The backend's failure, which is no fault of the guest.
    pub(crate) broken: Option<store::Error>,
}

impl Stores<'_> {
    fn find(&self, store: u32, row: u32) -> Result<(StoreId, &StoreSpec), StateError> {
        let stores = self.stores;
        let (id, spec) = readable(self.topology, stores, store)?;
        if row as usize >= self.rows {
            return Err(StateError::Misuse(format!(
                "row {row} of {} asks for store `{}`",
                self.rows, spec.name
            )));
        }
        Ok((id, spec))
    }

    fn place(&self, row: u32) -> &[u32] {
        self.places.row(self.first + row as usize)
    }

    fn broke(&mut self, error: store::Error) -> StateError {
        let text = error.to_string();
        self.broken = Some(error);
        StateError::Backend(text)
    }
}

/// The store at a position of a declaration, if others than its operator can read it.
pub(crate) fn readable<'t>(
    topology: &'t Topology,
    stores: &[StoreId],
    store: u32,
) -> Result<(StoreId, &'t StoreSpec), StateError> {
    let Some(&id) = stores.get(store as usize) else {
        return Err(StateError::Misuse(format!(
            "store number {store} of {} declared",
            stores.len()
        )));
    };
    let spec = topology.store(id);
    match spec.kind {
        StoreKind::KeyValue | StoreKind::Window(_) | StoreKind::Session { .. } => Ok((id, spec)),
        StoreKind::Versioned { .. } | StoreKind::Join { .. } | StoreKind::Buffer => Err(
            StateError::Misuse(format!("store `{}` is its operator's alone", spec.name)),
        ),
    }
}

/// That a store has plain keys, which have an order for those who read it.
pub(crate) fn ranged(spec: &StoreSpec) -> Result<(), StateError> {
    if spec.kind == StoreKind::KeyValue {
        return Ok(());
    }
    Err(StateError::Misuse(format!(
        "store `{}` holds windows, which have no range; ask for each by its key",
        spec.name
    )))
}

/// The columns of a range, and the visitor that fills them up to a limit.
pub(crate) fn collect(
    limit: u32,
    keys: &mut Column,
    values: &mut Column,
) -> impl FnMut(&[u8], &[u8], i64) -> ControlFlow<()> {
    move |key, value, _| {
        if keys.len() >= limit as usize {
            return ControlFlow::Break(());
        }
        keys.push(Some(key));
        values.push(Some(value));
        if keys.len() >= limit as usize {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// A half-open range, as guests ask for it.
pub(crate) fn half_open<'a>(start: Option<&'a [u8]>, end: Option<&'a [u8]>) -> KeyRange<'a> {
    KeyRange {
        start: start.map_or(Bound::Unbounded, Bound::Included),
        end: end.map_or(Bound::Unbounded, Bound::Excluded),
        reverse: false,
    }
}

impl State for Stores<'_> {
    fn get_many(&mut self, store: u32, row: u32, keys: &Column) -> Result<Column, StateError> {
        let (id, spec) = self.find(store, row)?;
        let place = |_| self.place(row);
        let overlay = &*self.overlay;
        let found = match spec.kind {
            StoreKind::Window(kept) => {
                WindowStore::new(id, kept).fetch_many_as_of(overlay, keys, place)
            }
            StoreKind::Session { retention_ms } => {
                SessionStore::new(id, retention_ms).fetch_many_as_of(overlay, keys, place)
            }
            _ if spec.read_by_others => overlay.get_many_as_of(id, keys, place),
            _ => overlay.get_many(id, keys),
        };
        found
            .map(|entries| entries.values)
            .map_err(|error| self.broke(error))
    }

    fn put(
        &mut self,
        store: u32,
        row: u32,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StateError> {
        let (id, spec) = self.find(store, row)?;
        if !spec.shared {
            let name = &spec.name;
            return Err(StateError::Misuse(format!(
                "store `{name}` belongs to an operator, which alone writes it"
            )));
        }
        let timestamp = self
            .timestamps
            .get(row as usize)
            .copied()
            .unwrap_or_default();
        let place = self.places.row(self.first + row as usize);
        self.overlay.put(id, place, key, value, timestamp);
        Ok(())
    }

    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> Result<(Column, Column), StateError> {
        let (id, spec) = self.find(store, row)?;
        ranged(spec)?;
        let (mut keys, mut values) = (Column::default(), Column::default());
        let limit = limit.min(self.limits.max_range_entries);
        let place = self.places.row(self.first + row as usize);
        let mut visit = collect(limit, &mut keys, &mut values);
        let done = self
            .overlay
            .range_as_of(id, half_open(start, end), place, &mut visit);
        drop(visit);
        done.map_err(|error| self.broke(error))?;
        Ok((keys, values))
    }
}
