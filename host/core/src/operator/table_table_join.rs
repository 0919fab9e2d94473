//! Table-table join: a change on one side meets the other side's row, as it is at the change's
//! place.
//!
//! What the join had before is the old value joined with that same row; a join keeps no results of
//! its own unless it was given a store. So where the other side is absent nothing is sent, unless
//! the changed side may stand alone; else the result is sent, or a tombstone where what this kind
//! of join needs is not there. Timestamp: the higher of the two rows'.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::{Inputs, Places};
use crate::record::{Batch, Column};
use crate::store::StoreId;
use crate::topology::description::JoinKind;
use crate::topology::{NodeId, View};

use super::Emitted;
use super::emitted::number;
use super::table::put;
use super::values::Pairs;
use super::values::{Values, joined};
use super::views::{Found, exists, read};

/// Input 0.
const LEFT: u8 = 0;

/// What the node does.
pub(super) struct Join<'t> {
    pub(super) kind: JoinKind,
    pub(super) function: FunctionId,
    pub(super) left: &'t View,
    pub(super) right: &'t View,
    pub(super) store: Option<StoreId>,
}

/// A row that causes a result.
struct Caused<'r> {
    row: usize,
    left: bool,
    other: Option<&'r [u8]>,
    timestamp: i64,
}

/// Joins the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join<'_>,
    (rows, olds, inputs): (&Batch, Option<&Column>, &Inputs),
    places: &Places,
) -> Result<Emitted, Error> {
    let of_side = |left: bool| -> Vec<u32> {
        let rows = 0..number(rows.len());
        rows.filter(|&row| (inputs.of(row as usize) == LEFT) == left)
            .collect()
    };
    let sides = [of_side(true), of_side(false)];
    let mut others = Vec::with_capacity(2);
    for (side, view) in sides.iter().zip([join.right, join.left]) {
        let keys = rows.keys.select(side);
        others.push(read(pass, node, view, &keys, &places.select(side))?);
    }
    let results = results(join.kind, (rows, olds), &sides, &others);
    let news = values(pass, node, join, (rows, &rows.values), &results, places)?;
    let tells_old = pass.topology.node(node).tells_old;
    let olds = match olds.filter(|_| tells_old) {
        Some(olds) => Some(values(pass, node, join, (rows, olds), &results, places)?),
        None => None,
    };
    let mut emitted = Emitted::changes(tells_old);
    for (position, result) in results.iter().enumerate() {
        let old = olds.as_ref().map(|olds| olds.get(position));
        let (Some(new), Some(old)) = (news.get(position), old.unwrap_or(Some(None))) else {
            continue;
        };
        let key = rows.keys.get(result.row);
        emitted.push_change(rows, result.row, key, (new, old), result.timestamp);
    }
    if let Some(store) = join.store {
        put(pass.overlay, store, emitted.rows(), &emitted.places(places));
    }
    Ok(emitted)
}

/// The rows that cause a result, in order.
fn results<'r>(
    kind: JoinKind,
    (rows, olds): (&Batch, Option<&Column>),
    sides: &[Vec<u32>; 2],
    others: &'r [Found],
) -> Vec<Caused<'r>> {
    let mut results = Vec::with_capacity(rows.len());
    for (side, (of_side, found)) in sides.iter().zip(others).enumerate() {
        let left = side == 0;
        for (position, &row) in of_side.iter().enumerate() {
            let row = row as usize;
            let (time, other) = (rows.timestamps[row], found.get(position));
            let was_there = olds.is_some_and(|olds| !olds.is_null(row));
            let is_there = was_there || !rows.values.is_null(row);
            let alone = exists(kind, left && is_there, !left && is_there);
            if !found.failed(position) && (other.is_some() || alone) {
                results.push(Caused {
                    row,
                    left,
                    other: other.map(|(value, _)| value),
                    timestamp: other.map_or(time, |(_, other)| other.max(time)),
                });
            }
        }
    }
    results.sort_by_key(|result| result.row);
    results
}

/// Joined values of results.
struct Joined {
    values: Values,
    /// Of each result its pair; `None`: what the join needs is not there.
    pairs: Vec<Option<usize>>,
}

impl Joined {
    /// The value of a result, null where there is none; `None`: its row failed.
    fn get(&self, result: usize) -> Option<Option<&[u8]>> {
        let Some(pair) = self.pairs[result] else {
            return Some(None);
        };
        (!self.values.failed(pair)).then(|| self.values.values.get(pair))
    }
}

/// Joins the results' rows, with these values, with the other sides.
fn values(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join<'_>,
    (rows, values): (&Batch, &Column),
    results: &[Caused<'_>],
    places: &Places,
) -> Result<Joined, Error> {
    let mut asked = Pairs::default();
    let mut pairs = Vec::with_capacity(results.len());
    for result in results {
        let own = values.get(result.row);
        let (left, right) = if result.left {
            (own, result.other)
        } else {
            (result.other, own)
        };
        let is_there = exists(join.kind, left.is_some(), right.is_some());
        pairs.push(is_there.then_some(asked.parents.len()));
        if is_there {
            let key = rows.keys.get(result.row);
            asked.push(result.row, key, left, right, result.timestamp);
        }
    }
    let values = joined(pass, node, join.function, &asked, places)?;
    Ok(Joined { values, pairs })
}
