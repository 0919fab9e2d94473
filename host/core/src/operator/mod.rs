//! Operators: what the nodes of a topology do with rows.
//!
//! Native code finds the rows, groups, windows and pairs; a guest is asked for values alone, with
//! one call for a whole batch. Each operator gives the answer that it would give row by row, and
//! keeps its own stream time.

mod aggregate;
mod closed;
mod combine;
mod emitted;
mod fold;
mod global_table_join;
mod interner;
mod process;
mod program;
mod session;
mod sink;
mod sliding;
mod state;
mod stores;
mod stream_stream_join;
mod stream_table_join;
mod suppress;
mod table;
mod transform;
mod update;
mod windowed;

pub(crate) use emitted::Emitted;
pub(crate) use process::punctuate;
pub(crate) use state::{OperatorState, Timed};
pub(crate) use stores::{Stores, collect, half_open, ranged, readable};

use crate::record::Batch;
use crate::task::error::Error;
use crate::task::flow::{Inputs, Places};
use crate::task::pass::Pass;
use crate::topology::{NodeId, Operation};

/// Runs a node over rows that stand in the order of their places.
pub(crate) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    rows: Batch,
    inputs: &Inputs,
    places: &Places,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    match &topology.node(node).operation {
        Operation::Source { .. } | Operation::Merge => Ok(Emitted::all(rows)),
        Operation::Table { store, .. } | Operation::ToTable { store } => {
            Ok(table::run(pass, node, *store, rows, places))
        }
        Operation::GlobalTable { .. } => unreachable!("global tables belong to no task"),
        Operation::Transform {
            function, ports, ..
        } => transform::run(pass, node, (*function, *ports), rows, places),
        Operation::Repartition {
            topic,
            keep_null_keys,
            ..
        } => Ok(sink::repartition(
            pass,
            node,
            (topic, *keep_null_keys),
            rows,
            places,
        )),
        Operation::Aggregate { .. } => aggregate::run(pass, node, &rows, inputs, places),
        Operation::Suppress { until, .. } => suppress::run(pass, (node, *until), &rows, places),
        Operation::StreamTableJoin {
            kind,
            function,
            store,
            ..
        } => stream_table_join::run(pass, node, (*kind, *function, *store), rows, places),
        Operation::GlobalTableJoin {
            kind,
            function,
            key,
            store,
            ..
        } => {
            let join = global_table_join::Join {
                kind: *kind,
                function: *function,
                key: *key,
                store: *store,
            };
            global_table_join::run(pass, node, &join, rows, places)
        }
        Operation::StreamStreamJoin { .. } => {
            stream_stream_join::run(pass, node, &rows, inputs, places)
        }
        Operation::Update { function, store } => {
            update::run(pass, node, (*function, *store), &rows, places)
        }
        Operation::Process { function, .. } => process::run(pass, node, *function, &rows, places),
        Operation::Sink { topic } => Ok(sink::run(pass, node, topic, rows, places)),
    }
}
