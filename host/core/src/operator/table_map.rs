//! Table filter and map-values: another table with the same keys.
//!
//! Tombstones pass without a call. A row that fails a filter becomes a tombstone; where old values
//! are told, nothing is sent if the old value did not pass either, since no reader has it. The
//! table has a store only where it was given one; its old values come from there, else from the
//! function.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::{Batch, Column};
use crate::store::StoreId;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::number;
use super::table::{olds as stored_olds, put};
use super::values::transformed;

/// What the node does.
pub(super) struct Map {
    pub(super) function: FunctionId,
    /// Whether no row out means that the value is not in the table, and tombstones may be saved.
    pub(super) filters: bool,
    pub(super) store: Option<StoreId>,
}

/// Maps the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    map: &Map,
    (rows, olds): (&Batch, Option<&Column>),
    places: &Places,
) -> Result<Emitted, Error> {
    let all: Vec<u32> = (0..number(rows.len())).collect();
    let (news, kept) = of_values(pass, node, map.function, rows, (&rows.values, &all), places)?;
    let tells_old = pass.topology.node(node).tells_old;
    let mut emitted = Emitted::changes(tells_old);
    let push = |emitted: &mut Emitted, row: u32, new: Option<&[u8]>, old: Option<&[u8]>| {
        if map.filters && tells_old && new.is_none() && old.is_none() {
            return;
        }
        let row = row as usize;
        emitted.push_change(
            rows,
            row,
            rows.keys.get(row),
            (new, old),
            rows.timestamps[row],
        );
    };
    if let Some(store) = map.store {
        let mut kept_rows = rows.select(&kept);
        kept_rows.values = news;
        let olds = stored_olds(pass.overlay, store, &kept_rows)?;
        put(pass.overlay, store, &kept_rows, &places.select(&kept));
        for (position, &row) in kept.iter().enumerate() {
            push(
                &mut emitted,
                row,
                kept_rows.values.get(position),
                olds.get(position),
            );
        }
        return Ok(emitted);
    }
    let Some(olds) = olds.filter(|_| tells_old) else {
        for (position, &row) in kept.iter().enumerate() {
            push(&mut emitted, row, news.get(position), None);
        }
        return Ok(emitted);
    };
    let (olds, told) = of_values(pass, node, map.function, rows, (olds, &kept), places)?;
    let mut position = 0;
    for (number, &row) in told.iter().enumerate() {
        while kept[position] != row {
            position += 1;
        }
        push(&mut emitted, row, news.get(position), olds.get(number));
    }
    Ok(emitted)
}

/// What the function makes of the values of the rows at `asking`, null of null; and those of these
/// rows that did not fail.
fn of_values(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    rows: &Batch,
    (values, asking): (&Column, &[u32]),
    places: &Places,
) -> Result<(Column, Vec<u32>), Error> {
    let (mut asked, mut parents) = (Batch::default(), Vec::new());
    for &row in asking {
        let at = row as usize;
        if let Some(value) = values.get(at) {
            asked.push(rows.keys.get(at), Some(value), rows.timestamps[at]);
            parents.push(row);
        }
    }
    let made = transformed(pass, node, function, &asked, &parents, places)?;
    let (mut mapped, mut kept) = (Column::default(), Vec::with_capacity(asking.len()));
    let mut question = 0;
    for &row in asking {
        if parents.get(question) != Some(&row) {
            mapped.push(None);
            kept.push(row);
            continue;
        }
        if !made.failed(question) {
            mapped.push(made.values.get(question));
            kept.push(row);
        }
        question += 1;
    }
    Ok((mapped, kept))
}
