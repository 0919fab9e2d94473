//! Reading tables: what a table has under keys, as of the places of rows.
//!
//! A table without a store of its own is made of those above it for the keys that are asked for; so
//! its functions may be called here, on behalf of the rows that ask.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::{Batch, Column};
use crate::store::{Buffer, Entries, SessionStore, Versions, WindowStore};
use crate::topology::description::JoinKind;
use crate::topology::{NodeId, View};

use super::emitted::number;
use super::values::Pairs;
use super::values::{Values, joined, transformed};

/// What a table has, one answer a row.
pub(super) struct Found {
    pub(super) entries: Entries,
    /// The rows on whose behalf a function of the table failed, ascending.
    failed: Vec<u32>,
}

impl Found {
    fn of(entries: Entries) -> Found {
        Found {
            entries,
            failed: Vec::new(),
        }
    }

    /// Whether a row has failed, and so has no answer.
    pub(super) fn failed(&self, row: usize) -> bool {
        self.failed.binary_search(&number(row)).is_ok()
    }

    /// Value and timestamp, if there is an entry.
    pub(super) fn get(&self, row: usize) -> Option<(&[u8], i64)> {
        let value = self.entries.values.get(row)?;
        Some((value, self.entries.timestamps[row]))
    }
}

/// Reads a table for `node`: the entry of `keys[i]` as of place i; none for a null key. One look-up
/// a store below, and one call a function.
pub(super) fn read(
    pass: &mut Pass<'_>,
    node: NodeId,
    view: &View,
    keys: &Column,
    places: &Places,
) -> Result<Found, Error> {
    let place_of = |row: usize| places.row(row);
    match view {
        View::Keys(store) => {
            let entries = pass.overlay.get_many_as_of(*store, keys, place_of)?;
            Ok(Found::of(entries))
        }
        View::Windows { store, retention } => {
            let mut windows = WindowStore::new(*store, *retention);
            let entries = windows.fetch_many_as_of(pass.overlay, keys, place_of)?;
            Ok(Found::of(entries))
        }
        View::Sessions {
            store,
            retention_ms,
        } => {
            let mut sessions = SessionStore::new(*store, *retention_ms);
            let entries = sessions.fetch_many_as_of(pass.overlay, keys, place_of)?;
            Ok(Found::of(entries))
        }
        View::Suppressed { buffer, of } => {
            let above = read(pass, node, of, keys, places)?;
            suppressed(pass, Buffer::new(*buffer), above, keys, places)
        }
        View::Versions { store, history_ms } => {
            let times = vec![i64::MAX; keys.len()];
            read_versions(
                pass,
                Versions::new(*store, *history_ms),
                keys,
                &times,
                places,
            )
        }
        View::Mapped { function, of } => {
            let found = read(pass, node, of, keys, places)?;
            mapped(pass, node, *function, found, keys, places)
        }
        View::Joined {
            kind,
            function,
            left,
            right,
        } => {
            let left = read(pass, node, left, keys, places)?;
            let right = read(pass, node, right, keys, places)?;
            both(
                pass,
                node,
                (*kind, *function),
                (&left, &right),
                keys,
                places,
            )
        }
    }
}

/// Reads a versioned table: what was valid at `times[i]`, as of place i.
pub(super) fn read_versions(
    pass: &mut Pass<'_>,
    versions: Versions,
    keys: &Column,
    times: &[i64],
    places: &Places,
) -> Result<Found, Error> {
    let mut entries = Entries::default();
    for (row, key) in keys.iter().enumerate() {
        let found = match key {
            Some(key) => versions.get(pass.overlay, places.row(row), key, times[row])?,
            None => None,
        };
        push(&mut entries, found);
    }
    Ok(Found::of(entries))
}

/// What was sent last: of a key that is held back the value from before, whose time nobody kept.
fn suppressed(
    pass: &mut Pass<'_>,
    buffer: Buffer,
    above: Found,
    keys: &Column,
    places: &Places,
) -> Result<Found, Error> {
    const UNKNOWN: i64 = -1;
    let mut entries = Entries::default();
    for (row, key) in keys.iter().enumerate() {
        let held = match key {
            Some(key) => buffer.get_as_of(pass.overlay, key, places.row(row))?,
            None => None,
        };
        push(
            &mut entries,
            match held {
                Some(update) => update.old.map(|old| (old, UNKNOWN)),
                None => above.get(row).map(|(value, time)| (value.to_vec(), time)),
            },
        );
    }
    let failed = above.failed;
    Ok(Found { entries, failed })
}

fn push(entries: &mut Entries, found: Option<(Vec<u8>, i64)>) {
    entries
        .values
        .push(found.as_ref().map(|(value, _)| &value[..]));
    entries
        .timestamps
        .push(found.map_or(0, |(_, timestamp)| timestamp));
}

fn mapped(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    found: Found,
    keys: &Column,
    places: &Places,
) -> Result<Found, Error> {
    let (mut asked, mut parents) = (Batch::default(), Vec::new());
    for row in 0..keys.len() {
        if let Some((value, timestamp)) = found.get(row) {
            asked.push(keys.get(row), Some(value), timestamp);
            parents.push(number(row));
        }
    }
    let values = transformed(pass, node, function, &asked, &parents, places)?;
    Ok(scatter(
        &values,
        &parents,
        &asked.timestamps,
        found.failed,
        keys.len(),
    ))
}

fn both(
    pass: &mut Pass<'_>,
    node: NodeId,
    (kind, function): (JoinKind, FunctionId),
    (left, right): (&Found, &Found),
    keys: &Column,
    places: &Places,
) -> Result<Found, Error> {
    let mut failed = left.failed.clone();
    failed.extend(&right.failed);
    failed.sort_unstable();
    failed.dedup();
    let mut pairs = Pairs::default();
    for row in 0..keys.len() {
        let (left, right) = (left.get(row), right.get(row));
        let is_there = exists(kind, left.is_some(), right.is_some());
        if is_there && failed.binary_search(&number(row)).is_err() {
            let timestamp = [left, right]
                .into_iter()
                .flatten()
                .map(|(_, time)| time)
                .max();
            let [left, right] = [left, right].map(|side| side.map(|(value, _)| value));
            pairs.push(
                row,
                keys.get(row),
                left,
                right,
                timestamp.unwrap_or_default(),
            );
        }
    }
    let values = joined(pass, node, function, &pairs, places)?;
    Ok(scatter(
        &values,
        &pairs.parents,
        &pairs.timestamps,
        failed,
        keys.len(),
    ))
}

/// Whether a join has a row, given which sides have one.
pub(super) fn exists(kind: JoinKind, left: bool, right: bool) -> bool {
    match kind {
        JoinKind::Inner => left && right,
        JoinKind::Left => left,
        JoinKind::Outer => left || right,
    }
}

/// Answers for `parents` as answers for all rows.
fn scatter(
    values: &Values,
    parents: &[u32],
    timestamps: &[i64],
    mut failed: Vec<u32>,
    rows: usize,
) -> Found {
    let mut entries = Entries::default();
    for (question, &parent) in parents.iter().enumerate() {
        while entries.timestamps.len() < parent as usize {
            push(&mut entries, None);
        }
        entries.values.push(values.values.get(question));
        entries.timestamps.push(timestamps[question]);
        if values.failed(question) {
            failed.push(parent);
        }
    }
    while entries.timestamps.len() < rows {
        push(&mut entries, None);
    }
    failed.sort_unstable();
    Found { entries, failed }
}
