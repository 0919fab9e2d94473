//! Queries: requests that are answered from committed state, again and again until there is an
//! answer.
//!
//! Every look is noted, so that the caller knows when asking again may help: when a commit changes
//! what was looked at.

use crate::functions::{Failure, Functions, Request, Response, State, StateError};
use crate::limits::Limits;
use crate::operator::{collect, half_open, ranged, readable};
use crate::record::Column;
use crate::store::{self, Backend, SessionStore, StoreId, WindowStore};
use crate::topology::{Route, StoreKind, Topology};

/// What a query came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `None`: not yet.
    pub response: Option<Response>,
    /// What it looked at.
    pub watched: Vec<Watched>,
}

/// What a query looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The store.
    pub store: StoreId,
    /// The key; `None`: any of the store (it asked for a range).
    pub key: Option<Vec<u8>>,
}

/// Asks a query route over committed state. Errors: the function trapped (the request is answered
/// with 500), or the host is at fault.
pub fn answer(
    topology: &Topology,
    route: &Route,
    request: &Request,
    backend: &dyn Backend,
    functions: &mut dyn Functions,
    limits: &Limits,
) -> Result<Answer, Failure> {
    let mut committed = Committed {
        topology,
        route,
        backend,
        limits,
        watched: Vec::new(),
    };
    let response = functions.answer(route.function, request, &mut committed)?;
    Ok(Answer {
        response,
        watched: committed.watched,
    })
}

struct Committed<'a> {
    topology: &'a Topology,
    route: &'a Route,
    backend: &'a dyn Backend,
    limits: &'a Limits,
    watched: Vec<Watched>,
}

impl Committed<'_> {
    fn watch(&mut self, store: StoreId, key: Option<&[u8]>) {
        let key = key.map(<[u8]>::to_vec);
        self.watched.push(Watched { store, key });
    }

    /// The values of entries; null for a null key, which the backend is not asked for.
    fn get_entries(&self, store: StoreId, keys: &Column) -> Result<Column, store::Error> {
        let asked: Column = keys.iter().filter(Option::is_some).collect();
        let found = self.backend.get_many(store, &asked)?.values;
        let mut values = Column::default();
        let mut next = 0..;
        for key in keys.iter() {
            let found = |_| found.get(next.next().expect("it never ends"));
            values.push(key.and_then(found));
        }
        Ok(values)
    }
}

impl State for Committed<'_> {
    fn get_many(&mut self, store: u32, _row: u32, keys: &Column) -> Result<Column, StateError> {
        let (id, spec) = readable(self.topology, &self.route.stores, store)?;
        if keys.iter().any(|key| key.is_none()) {
            return Err(StateError::Misuse("a null key".to_owned()));
        }
        let broken = |error: store::Error| StateError::Backend(error.to_string());
        let entries = match spec.kind {
            StoreKind::Window(kept) => {
                WindowStore::new(id, kept).committed_keys(self.backend, keys)
            }
            StoreKind::Session { retention_ms } => {
                SessionStore::new(id, retention_ms).committed_keys(self.backend, keys)
            }
            _ => Ok(Some(keys.clone())),
        };
        let Some(entries) = entries.map_err(broken)? else {
            self.watch(id, None);
            return Ok(Column::nulls(keys.len()));
        };
        entries
            .iter()
            .flatten()
            .for_each(|key| self.watch(id, Some(key)));
        self.get_entries(id, &entries).map_err(broken)
    }

    fn put(&mut self, _: u32, _: u32, _: &[u8], _: Option<&[u8]>) -> Result<(), StateError> {
        Err(StateError::Misuse(
            "a query reads committed state and writes nothing".to_owned(),
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
        let (store, spec) = readable(self.topology, &self.route.stores, store)?;
        ranged(spec)?;
        self.watch(store, None);
        let (mut keys, mut values) = (Column::default(), Column::default());
        let mut visit = collect(
            limit.min(self.limits.max_range_entries),
            &mut keys,
            &mut values,
        );
        let done = self.backend.range(store, half_open(start, end), &mut visit);
        drop(visit);
        done.map_err(|error| StateError::Backend(error.to_string()))?;
        Ok((keys, values))
    }
}
