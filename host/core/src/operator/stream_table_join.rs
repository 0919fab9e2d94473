//! Stream-table join: a stream row meets the table as it is at the row's place, whatever the
//! timestamps; a versioned table as it was at the row's timestamp.
//!
//! A null value is passed over; a null key too, but a left join joins it with null. Timestamp and
//! headers are the stream row's. With a grace the row waits first.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::Batch;
use crate::store::Versions;
use crate::topology::description::JoinKind;
use crate::topology::{NodeId, View};

use super::Emitted;
use super::combine::combine;
use super::join_buffer::{JoinBuffer, Released};
use super::values::Pairs;
use super::views::{read, read_versions};

/// What the node does.
pub(super) struct Join<'t> {
    pub(super) kind: JoinKind,
    pub(super) function: FunctionId,
    pub(super) view: &'t View,
    pub(super) buffer: Option<JoinBuffer>,
}

/// Joins the rows, or those that leave the buffer with them.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join<'_>,
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut taken = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if rows.values.is_null(row) {
            pass.drop_row(node, Reason::NullValue);
        } else if rows.keys.is_null(row) && join.kind == JoinKind::Inner {
            pass.drop_row(node, Reason::NullKey);
        } else {
            taken.push(super::emitted::number(row));
        }
    }
    let Some(buffer) = join.buffer else {
        if taken.len() == rows.len() {
            return join_now(pass, node, join, &rows, places);
        }
        let emitted = join_now(
            pass,
            node,
            join,
            &rows.select(&taken),
            &places.select(&taken),
        )?;
        return Ok(emitted.of_rows(&taken));
    };
    let mut released = Released::default();
    for row in taken {
        let row = row as usize;
        buffer.take(pass.overlay, (&rows, row), places.row(row), &mut released)?;
    }
    let Released { rows, parents } = released;
    let emitted = join_now(pass, node, join, &rows, &places.select(&parents))?;
    Ok(emitted.of_rows(&parents))
}

fn join_now(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join<'_>,
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let table = if let View::Versions { store, history_ms } = join.view {
        let versions = Versions::new(*store, *history_ms);
        read_versions(pass, versions, &rows.keys, &rows.timestamps, places)?
    } else {
        read(pass, node, join.view, &rows.keys, places)?
    };
    let mut pairs = Pairs::default();
    for row in 0..rows.len() {
        let right = table.entries.values.get(row);
        let joins = right.is_some() || join.kind != JoinKind::Inner;
        if joins && !table.failed(row) {
            let (key, value) = (rows.keys.get(row), rows.values.get(row));
            pairs.push(row, key, value, right, rows.timestamps[row]);
        }
    }
    combine(pass, node, join.function, &pairs, rows, places)
}
