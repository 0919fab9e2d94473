//! Process: a free processor, with stores and schedules.
//!
//! What a call wrote before it failed is taken back. A schedule is due by stream time or by the
//! wall clock; the task knows when.

use std::ops::Range;

use crate::functions::{Failure, FunctionId, Output};
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::trouble::Trouble;
use crate::record::Batch;
use crate::topology::{NodeId, Operation};

use super::emitted::{check, part};
use super::{Emitted, Stores};

/// Calls the processor.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut emitted = Emitted::none();
    let stream_times: Vec<i64> = (0..rows.len())
        .map(|row| pass.stream_times[places.sequence(row)])
        .collect();
    let place_of = |row: usize| places.row(row);
    pass.halving(node, 0..rows.len(), &place_of, &mut |pass, range| {
        let input = part(rows, &range);
        let output = call(
            pass,
            node,
            places,
            (&range, &input.timestamps),
            |pass, stores| pass.process(function, &input, &stream_times[range.clone()], stores),
        )?;
        pass.reject(node, &output.rejected, range.start, &place_of);
        emitted.append(output, rows, &range);
        Ok(())
    })?;
    Ok(emitted)
}

/// Runs a schedule; what it sends has no row of its own.
pub(crate) fn punctuate(
    pass: &mut Pass<'_>,
    node: NodeId,
    schedule: u32,
    at: i64,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    let Operation::Process { function, .. } = topology.node(node).operation else {
        unreachable!("only processors have schedules");
    };
    let places = Places::of_sequences(vec![0]);
    let mut emitted = Emitted::none();
    let place_of = |row: usize| places.row(row);
    pass.halving(node, 0..1, &place_of, &mut |pass, range| {
        let output = call(pass, node, &places, (&range, &[at]), |pass, stores| {
            pass.punctuate(function, schedule, at, stores)
        })?;
        pass.reject(node, &output.rejected, 0, &place_of);
        let mut none = Batch::default();
        none.push(None, None, at);
        emitted.append(output, &none, &range);
        Ok(())
    })?;
    Ok(emitted)
}

/// One call over the node's stores: either it is good, or it has changed nothing.
fn call(
    pass: &mut Pass<'_>,
    node: NodeId,
    places: &Places,
    (range, timestamps): (&Range<usize>, &[i64]),
    function: impl FnOnce(
        &mut dyn crate::functions::Functions,
        &mut Stores<'_>,
    ) -> Result<Output, Failure>,
) -> Result<Output, Trouble> {
    let topology = pass.topology;
    let Operation::Process { stores, .. } = &topology.node(node).operation else {
        unreachable!("only processors come here");
    };
    let savepoint = pass.overlay.savepoint();
    let (called, broken) = {
        let mut stores = Stores {
            topology,
            limits: pass.limits,
            overlay: &mut *pass.overlay,
            stores,
            places,
            first: range.start,
            rows: range.len(),
            timestamps,
            broken: None,
        };
        let called = function(&mut *pass.functions, &mut stores);
        (called, stores.broken)
    };
    let called = match broken {
        Some(error) => Err(Trouble::from(error)),
        None => called.map_err(|failure| pass.trouble(node, failure)),
    };
    let checked =
        called.and_then(|output| check(&output, range.len(), 1, pass.limits).map(|()| output));
    if checked.is_err() {
        pass.overlay.rollback_to(&savepoint);
    }
    pass.overlay.release(savepoint);
    checked
}
