//! What an instance owns on the host's side, and the host functions of the contract.
//!
//! The guest's calls of `host` and `state` end here. Whatever a guest may not do traps it with a
//! message; a store that fails under it is told apart, so that the row is not blamed.

use weir_core::functions::{State, StateError};
use weir_core::record::Column;

use super::bindings::weir::service::{host, http, records, state, topology};
use super::failure::{BackendFailed, Misuse};
use super::lend::Lent;
use super::log::{Level, Log};
use super::meter::Meter;
use super::room::Room;
use super::{Limits, convert};

/// The data of a wasmtime store.
pub(super) struct Data {
    lent: Lent,
    pub(super) meter: Meter,
    pub(super) log: Log,
    pub(super) room: Room,
}

impl Data {
    pub(super) fn new(log: &Log, limits: &Limits) -> Data {
        Data {
            lent: Lent::default(),
            meter: Meter::new(limits),
            log: log.clone(),
            room: Room::new(log),
        }
    }

    fn state(&mut self) -> wasmtime::Result<&mut (dyn State + '_)> {
        self.lent.state().ok_or_else(|| {
            let reason = "`state` is called outside of process, punctuate, handle and answer";
            wasmtime::Error::new(Misuse(reason.to_owned()))
        })
    }
}

impl AsMut<Lent> for Data {
    fn as_mut(&mut self) -> &mut Lent {
        &mut self.lent
    }
}

impl host::Host for Data {
    fn log(&mut self, level: host::Level, text: String) -> wasmtime::Result<()> {
        let level = match level {
            host::Level::Error => Level::Error,
            host::Level::Warn => Level::Warn,
            host::Level::Info => Level::Info,
            host::Level::Debug => Level::Debug,
        };
        self.log.line(level, &text);
        Ok(())
    }
}

impl state::Host for Data {
    fn get(&mut self, store: u32, row: u32, key: Vec<u8>) -> wasmtime::Result<Option<Vec<u8>>> {
        let keys: Column = [Some(key.as_slice())].into_iter().collect();
        let values = self.state()?.get_many(store, row, &keys).map_err(trap)?;
        let (bytes, lengths) = values.into_parts();
        Ok(lengths
            .first()
            .is_some_and(|&length| length >= 0)
            .then_some(bytes))
    }

    fn get_many(
        &mut self,
        store: u32,
        row: u32,
        keys: state::Column,
    ) -> wasmtime::Result<state::Column> {
        let keys = convert::column(keys)
            .map_err(|error| wasmtime::Error::new(Misuse(format!("get-many: {error}"))))?;
        let values = self.state()?.get_many(store, row, &keys).map_err(trap)?;
        Ok(owned(values))
    }

    fn put(
        &mut self,
        store: u32,
        row: u32,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<()> {
        self.state()?
            .put(store, row, &key, value.as_deref())
            .map_err(trap)
    }

    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<Vec<u8>>,
        end: Option<Vec<u8>>,
        limit: u32,
    ) -> wasmtime::Result<state::Entries> {
        let (keys, values) = self
            .state()?
            .range(store, row, start.as_deref(), end.as_deref(), limit)
            .map_err(trap)?;
        Ok(state::Entries {
            keys: owned(keys),
            values: owned(values),
        })
    }
}

impl records::Host for Data {}

impl topology::Host for Data {}

impl http::Host for Data {}

fn owned(column: Column) -> state::Column {
    let (bytes, lengths) = column.into_parts();
    state::Column { bytes, lengths }
}

fn trap(error: StateError) -> wasmtime::Error {
    match error {
        StateError::Misuse(reason) => wasmtime::Error::new(Misuse(reason)),
        StateError::Backend(reason) => wasmtime::Error::new(BackendFailed(reason)),
    }
}
