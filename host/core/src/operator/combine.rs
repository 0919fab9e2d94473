//! Joiners: the values of joined pairs, one call for a batch.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::Batch;
use crate::topology::NodeId;

use super::Emitted;
use super::values::{Pairs, joined};

/// Asks for the values; a pair that the joiner refuses or cannot survive is a failure of its row.
pub(super) fn combine(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    pairs: &Pairs,
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let combined = joined(pass, node, function, pairs, places)?;
    let mut emitted = Emitted::none();
    for (pair, &parent) in pairs.parents.iter().enumerate() {
        if !combined.failed(pair) {
            let (key, value) = (pairs.keys.get(pair), combined.values.get(pair));
            let timestamp = pairs.timestamps[pair];
            emitted.push(rows, parent as usize, key, value, timestamp);
        }
    }
    Ok(emitted)
}
