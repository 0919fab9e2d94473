//! Tables: rows of a topic or a stream are put into the store, then sent on.
//!
//! A null value is a delete, and is sent on too, as is the same value again. Rows without a key are
//! passed over. A table that nobody reads by key, and that nobody asks for old values, has no
//! store.

use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::{Batch, Column};
use crate::store::{Overlay, StoreId, Versions};
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::number;
use super::interner::Interner;

/// Puts the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    store: Option<StoreId>,
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if rows.keys.is_null(row) {
            pass.drop_row(node, Reason::NullKey);
        } else {
            kept.push(number(row));
        }
    }
    let emitted = if kept.len() == rows.len() {
        Emitted::all(rows)
    } else {
        Emitted::some(&rows, kept)
    };
    keep(pass, node, store, emitted, places)
}

/// Puts the rows that a table sends on into its store, if it has one, and tells what was there
/// before where somebody asks.
pub(super) fn keep(
    pass: &mut Pass<'_>,
    node: NodeId,
    store: Option<StoreId>,
    emitted: Emitted,
    places: &Places,
) -> Result<Emitted, Error> {
    let Some(store) = store else {
        return Ok(emitted);
    };
    let tells_old = pass.topology.node(node).tells_old;
    let olds = tells_old
        .then(|| olds(pass.overlay, store, emitted.rows()))
        .transpose()?;
    put(pass.overlay, store, emitted.rows(), &emitted.places(places));
    Ok(emitted.telling(olds))
}

/// Puts the rows as versions; those that are older than the history are passed over.
pub(super) fn run_versioned(
    pass: &mut Pass<'_>,
    node: NodeId,
    (store, history_ms): (StoreId, i64),
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let versions = Versions::new(store, history_ms);
    let mut kept = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let Some(key) = rows.keys.get(row) else {
            pass.drop_row(node, Reason::NullKey);
            continue;
        };
        let (value, timestamp) = (rows.values.get(row), rows.timestamps[row]);
        if versions.put(pass.overlay, places.row(row), key, value, timestamp)? {
            kept.push(number(row));
        } else {
            pass.drop_row(node, Reason::Late);
        }
    }
    Ok(Emitted::some(rows, kept))
}

/// What the key of each row has before the row is put; the caller alone writes the store.
pub(super) fn olds(
    overlay: &Overlay,
    store: StoreId,
    rows: &Batch,
) -> Result<Column, crate::store::Error> {
    let before = overlay.get_many(store, &rows.keys)?;
    let mut olds = Column::with_capacity(rows.len(), before.values.bytes().len());
    let mut keys = Interner::default();
    let mut last: Vec<usize> = Vec::new();
    for row in 0..rows.len() {
        let key = rows.keys.get(row).expect("a table's rows have keys");
        let group = keys.number(key) as usize;
        if group == last.len() {
            olds.push(before.values.get(row));
            last.push(row);
        } else {
            olds.push(rows.values.get(last[group]));
            last[group] = row;
        }
    }
    Ok(olds)
}

/// Puts each row's value under its key.
pub(super) fn put(overlay: &mut Overlay, store: StoreId, rows: &Batch, places: &Places) {
    for row in 0..rows.len() {
        let key = rows.keys.get(row).expect("a table's rows have keys");
        let (value, timestamp) = (rows.values.get(row), rows.timestamps[row]);
        overlay.put(store, places.row(row), key, value, timestamp);
    }
}
