//! Table group-by: a table's changes under the keys of their groups.
//!
//! The old value leaves its group, the new one enters its own; where both are the same, one row
//! says both. A group that is null has no members, and a null value is none. The aggregate is below
//! the repartition topic that this node's rows go to.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::{Batch, Column};
use crate::topology::NodeId;

use super::Emitted;
use super::change::encode;
use super::values::{Values, changed, transformed};

/// Groups the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    (rows, olds): (&Batch, Option<&Column>),
    places: &Places,
) -> Result<Emitted, Error> {
    let (asked, parents) = changed(rows, olds);
    let made = transformed(pass, node, function, &asked, &parents, places)?;
    let mut emitted = Emitted::none();
    let mut question = 0;
    for row in 0..rows.len() {
        let mut next = |is_there: bool| {
            question += usize::from(is_there);
            is_there.then(|| question - 1)
        };
        let new = next(!rows.values.is_null(row));
        let old = next(olds.is_some_and(|olds| !olds.is_null(row)));
        if [new, old].into_iter().flatten().any(|q| made.failed(q)) {
            continue;
        }
        let [new, old] = [new, old].map(|question| member(&made, question?));
        let mut push = |group: &[u8], change| {
            let value = encode(change);
            emitted.push(rows, row, Some(group), Some(&value), rows.timestamps[row]);
        };
        match (new, old) {
            (Some((group, new)), Some((old_group, old))) if group == old_group => {
                push(group, (Some(new), Some(old)));
            }
            _ => {
                if let Some((group, old)) = old {
                    push(group, (None, Some(old)));
                }
                if let Some((group, new)) = new {
                    push(group, (Some(new), None));
                }
            }
        }
    }
    Ok(emitted)
}

/// Group and value of an answer, where both are there.
fn member(made: &Values, question: usize) -> Option<(&[u8], &[u8])> {
    Some((made.keys.get(question)?, made.values.get(question)?))
}
