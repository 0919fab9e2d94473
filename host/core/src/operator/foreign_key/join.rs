//! The end of a foreign-key join: answers, joined with the left rows that still wait for them.
//!
//! An answer to a left value that is no longer there is late, and is passed over: the value that is
//! there now has an answer of its own to come.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::trouble::malformed;
use crate::record::Batch;
use crate::store::StoreId;
use crate::topology::description::JoinKind;
use crate::topology::{NodeId, View};

use super::super::Emitted;
use super::super::table::keep;
use super::super::values::Pairs;
use super::super::values::joined;
use super::super::views::read;
use super::message::{Subscriber, digest};

/// What the node does.
pub(in crate::operator) struct Join<'t> {
    pub(in crate::operator) kind: JoinKind,
    pub(in crate::operator) function: FunctionId,
    pub(in crate::operator) left: &'t View,
    pub(in crate::operator) store: Option<StoreId>,
}

/// Joins the answers.
pub(in crate::operator) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join<'_>,
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let found = read(pass, node, join.left, &rows.keys, places)?;
    let place_of = |row: usize| places.row(row);
    let mut asked = Pairs::default();
    // The rows that cause a result, and the pair of each; `None`: a tombstone.
    let mut results: Vec<(usize, Option<usize>)> = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let Some((subscriber, right)) = rows.values.get(row).and_then(Subscriber::take_answer)
        else {
            pass.halving(node, row..row + 1, &place_of, &mut |_, _| {
                Err(malformed("a row of the answers' topic is none"))
            })?;
            continue;
        };
        let left = found.get(row).map(|(value, _)| value);
        if found.failed(row) || left.map(digest) != subscriber.digest {
            continue;
        }
        let alone = join.kind != JoinKind::Inner;
        let is_there = left.is_some() && (right.is_some() || alone);
        results.push((row, is_there.then_some(asked.parents.len())));
        if is_there {
            asked.push(row, rows.keys.get(row), left, right, rows.timestamps[row]);
        }
    }
    let values = joined(pass, node, join.function, &asked, places)?;
    let mut emitted = Emitted::none();
    for (row, pair) in results {
        if pair.is_some_and(|pair| values.failed(pair)) {
            continue;
        }
        let value = pair.and_then(|pair| values.values.get(pair));
        emitted.push(rows, row, rows.keys.get(row), value, rows.timestamps[row]);
    }
    keep(pass, node, join.store, emitted, places)
}
