//! Stream-table join: a stream row meets the table as it is at the row's place, whatever the
//! timestamps.
//!
//! A null value is passed over; a null key too, but a left join joins it with null. Timestamp and
//! headers are the stream row's.

use crate::functions::FunctionId;
use crate::record::Batch;
use crate::store::StoreId;
use crate::task::dropped::Reason;
use crate::task::error::Error;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::NodeId;
use crate::topology::description::JoinKind;

use super::Emitted;
use super::combine::{Pairs, combine};

/// Joins the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    (kind, function, store): (JoinKind, FunctionId, StoreId),
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let table = pass
        .overlay
        .get_many_as_of(store, &rows.keys, |row| places.row(row))?;
    let mut pairs = Pairs::default();
    for row in 0..rows.len() {
        let (key, value, right) = (
            rows.keys.get(row),
            rows.values.get(row),
            table.values.get(row),
        );
        if value.is_none() {
            pass.drop_row(node, Reason::NullValue);
        } else if key.is_none() && kind == JoinKind::Inner {
            pass.drop_row(node, Reason::NullKey);
        } else if right.is_some() || kind != JoinKind::Inner {
            pairs.push(row, key, value, right, rows.timestamps[row]);
        }
    }
    combine(pass, node, function, &pairs, &rows, places)
}
