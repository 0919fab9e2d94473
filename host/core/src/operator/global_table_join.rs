//! Stream-global-table join: the service says which key of the table a stream row is about.
//!
//! The table is committed state: it grows beside the tasks. A null value is passed over; a null key
//! to look up too, but a left join joins it with null.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::trouble::malformed;
use crate::record::{Batch, Column};
use crate::store::StoreId;
use crate::topology::NodeId;
use crate::topology::description::JoinKind;

use super::Emitted;
use super::combine::combine;
use super::emitted::{check, number};
use super::values::Pairs;

/// What the node joins.
pub(super) struct Join {
    pub(super) kind: JoinKind,
    pub(super) function: FunctionId,
    pub(super) key: FunctionId,
    pub(super) store: StoreId,
}

/// Joins the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join,
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let (asking, keys) = keys(pass, node, join, &rows, places)?;
    let table = pass.overlay.get_many(join.store, &keys)?;
    let mut pairs = Pairs::default();
    for (position, &row) in asking.iter().enumerate() {
        let right = table.values.get(position);
        if keys.is_null(position) && join.kind == JoinKind::Inner {
            pass.drop_row(node, Reason::NullKey);
        } else if right.is_some() || join.kind != JoinKind::Inner {
            let row = row as usize;
            pairs.push(
                row,
                rows.keys.get(row),
                rows.values.get(row),
                right,
                rows.timestamps[row],
            );
        }
    }
    combine(pass, node, join.function, &pairs, &rows, places)
}

/// The rows that ask for a key, and the key of each.
fn keys(
    pass: &mut Pass<'_>,
    node: NodeId,
    join: &Join,
    rows: &Batch,
    places: &Places,
) -> Result<(Vec<u32>, Column), Error> {
    let mut with_value = Vec::new();
    for row in 0..rows.len() {
        if rows.values.is_null(row) {
            pass.drop_row(node, Reason::NullValue);
        } else {
            with_value.push(number(row));
        }
    }
    let (mut asking, mut keys) = (Vec::new(), Column::default());
    let place_of = |position: usize| places.row(with_value[position] as usize);
    pass.halving(node, 0..with_value.len(), &place_of, &mut |pass, range| {
        let input = rows.select(&with_value[range.clone()]);
        let called = pass.functions.transform(join.key, &input);
        let output = called.map_err(|failure| pass.trouble(node, failure))?;
        check(&output, range.len(), 1, pass.limits)?;
        let strictly = output.origins.windows(2).all(|pair| pair[0] < pair[1]);
        if !strictly || output.origins.len() + output.rejected.len() != range.len() {
            return Err(malformed(
                "the key of a global-table join makes one row of each row",
            ));
        }
        pass.reject(node, &output.rejected, range.start, &place_of);
        for (key, &origin) in output.rows.keys.iter().zip(&output.origins) {
            asking.push(with_value[range.start + origin as usize]);
            keys.push(key);
        }
        Ok(())
    })?;
    Ok((asking, keys))
}
