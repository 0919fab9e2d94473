//! What the tests share: the guest of tests/guests/misbehaving, rows, a store, and a place to read
//! the log.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::LazyLock;

use weir_core::functions::{Failure, FunctionId, State, StateError};
use weir_core::record::{Batch, Column};
use weir_host::wasm::{Component, Engine, EngineOptions, Instance, Limits};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineOptions::default()).unwrap());

/// The file of the guest, which `cargo xtask guests` builds.
pub(crate) fn bytes() -> Vec<u8> {
    let beside = || {
        let executable = std::env::current_exe().unwrap();
        executable.ancestors().nth(3).unwrap().join("components")
    };
    let folder = std::env::var_os("WEIR_COMPONENTS").map_or_else(beside, PathBuf::from);
    let path = folder.join("tests/misbehaving.wasm");
    std::fs::read(&path)
        .unwrap_or_else(|_| panic!("no guest at {}: type `cargo xtask guests`", path.display()))
}

pub(crate) fn engine() -> &'static Engine {
    &ENGINE
}

pub(crate) fn component(limits: &Limits) -> Component {
    engine().load(&bytes(), limits).unwrap()
}

pub(crate) fn instance() -> Instance {
    instance_under(&Limits::default())
}

pub(crate) fn instance_under(limits: &Limits) -> Instance {
    component(limits).instance("things", &BTreeMap::new())
}

pub(crate) const ECHO: FunctionId = FunctionId(0);
pub(crate) const CALLS: FunctionId = FunctionId(1);

/// Rows with the keys 0, 1, 2, ... and a second between them.
pub(crate) fn rows(values: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (row, value) in values.iter().enumerate() {
        let (key, time) = (row.to_string(), i64::try_from(row).unwrap() * 1000);
        batch.push(Some(key.as_bytes()), Some(value.as_bytes()), time);
    }
    batch
}

pub(crate) fn column(rows: &[Option<&str>]) -> Column {
    rows.iter().map(|row| row.map(str::as_bytes)).collect()
}

/// The reason of a trap and its backtrace.
pub(crate) fn trapped<T: std::fmt::Debug>(result: Result<T, Failure>) -> (String, String) {
    match result {
        Err(Failure::Trapped { reason, backtrace }) => (reason, backtrace),
        other => panic!("no trap: {other:?}"),
    }
}

/// One store, number 0.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) entries: HashMap<Vec<u8>, Vec<u8>>,
    pub(crate) broken: bool,
}

impl Shelf {
    fn check(&self, store: u32) -> Result<(), StateError> {
        if self.broken {
            return Err(StateError::Backend("the disk is full".to_owned()));
        }
        match store {
            0 => Ok(()),
            _ => Err(StateError::Misuse(format!(
                "store {store} was not declared"
            ))),
        }
    }
}

impl State for Shelf {
    fn get_many(&mut self, store: u32, _: u32, keys: &Column) -> Result<Column, StateError> {
        self.check(store)?;
        let value = |key: Option<&[u8]>| self.entries.get(key?).map(Vec::as_slice);
        Ok(keys.iter().map(value).collect())
    }

    fn put(
        &mut self,
        store: u32,
        _: u32,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StateError> {
        self.check(store)?;
        match value {
            Some(value) => self.entries.insert(key.to_vec(), value.to_vec()),
            None => self.entries.remove(key),
        };
        Ok(())
    }

    fn range(
        &mut self,
        store: u32,
        _: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> Result<(Column, Column), StateError> {
        self.check(store)?;
        let within =
            |key: &[u8]| start.is_none_or(|start| start <= key) && end.is_none_or(|end| key < end);
        let mut found: Vec<_> = self.entries.iter().filter(|(key, _)| within(key)).collect();
        found.sort();
        found.truncate(limit as usize);
        let keys = found.iter().map(|(key, _)| Some(key.as_slice())).collect();
        let values = found
            .iter()
            .map(|(_, value)| Some(value.as_slice()))
            .collect();
        Ok((keys, values))
    }
}
