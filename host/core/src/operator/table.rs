//! Tables: rows of a topic or a stream are put into the store, then sent on.
//!
//! A null value is a delete, and is sent on too, as is the same value again. Rows without a key are
//! passed over.

use crate::record::Batch;
use crate::store::StoreId;
use crate::task::dropped::Reason;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::number;

/// Puts the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    store: StoreId,
    rows: Batch,
    places: &Places,
) -> Emitted {
    let mut kept = Vec::new();
    for row in 0..rows.len() {
        match rows.keys.get(row) {
            Some(key) => {
                pass.overlay.put(
                    store,
                    places.row(row),
                    key,
                    rows.values.get(row),
                    rows.timestamps[row],
                );
                kept.push(number(row));
            }
            None => pass.drop_row(node, Reason::NullKey),
        }
    }
    if kept.len() == rows.len() {
        Emitted::all(rows)
    } else {
        Emitted::some(&rows, kept)
    }
}
