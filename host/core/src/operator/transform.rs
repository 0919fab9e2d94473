//! Transform: a run of fused stateless steps, one call for a batch.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::Batch;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::{check, part};

/// Calls the function; rows that it refuses or cannot survive fail.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    (function, ports): (FunctionId, u8),
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut emitted = Emitted::none();
    let place_of = |row: usize| places.row(row);
    pass.halving(node, 0..rows.len(), &place_of, &mut |pass, range| {
        let input = part(&rows, &range);
        let called = pass.functions.transform(function, &input);
        let output = called.map_err(|failure| pass.trouble(node, failure))?;
        check(&output, range.len(), ports, pass.limits)?;
        pass.reject(node, &output.rejected, range.start, &place_of);
        emitted.append(output, &rows, &range);
        Ok(())
    })?;
    Ok(emitted)
}
