//! Operators: what the nodes of a topology do with rows.
//!
//! Native code finds the rows, groups, windows and pairs; a guest is asked for values alone, with
//! one call for a whole batch. Each operator gives the answer that it would give row by row, and
//! keeps its own stream time.

mod aggregate;
mod change;
mod closed;
mod combine;
mod emitted;
mod fold;
mod foreign_key;
mod global_table_join;
mod interner;
mod join_buffer;
mod process;
mod program;
mod session;
mod sink;
mod sliding;
mod stores;
mod stream_stream_join;
mod stream_table_join;
mod suppress;
mod table;
mod table_aggregate;
mod table_group_by;
mod table_map;
mod table_table_join;
mod transform;
mod update;
mod values;
mod views;
mod windowed;

pub(crate) use emitted::Emitted;
pub(crate) use process::punctuate;
pub(crate) use stores::{Stores, collect, half_open, ranged, readable};

use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::{Inputs, Places};
use crate::record::{Batch, Column};
use crate::topology::{NodeId, Operation};

/// Runs a node over rows that stand in the order of their places; `olds` is what their keys had
/// before, where it is told.
pub(crate) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    rows: Batch,
    olds: Option<Column>,
    inputs: &Inputs,
    places: &Places,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    match &topology.node(node).operation {
        Operation::Source { .. } | Operation::Merge => Ok(Emitted::all(rows)),
        Operation::Table {
            store: Some(store),
            history: Some(history),
            ..
        } => table::run_versioned(pass, node, (*store, *history), &rows, places),
        Operation::Table { store, .. } | Operation::ToTable { store } => {
            table::run(pass, node, *store, rows, places)
        }
        Operation::TableMap { .. }
        | Operation::TableGroupBy { .. }
        | Operation::TableAggregate { .. }
        | Operation::TableTableJoin { .. }
        | Operation::Subscribe { .. }
        | Operation::Subscriptions { .. }
        | Operation::ForeignKeyJoin { .. } => run_table(pass, node, (rows, olds), inputs, places),
        Operation::GlobalTable { .. } => unreachable!("global tables belong to no task"),
        Operation::Transform {
            function, ports, ..
        } => transform::run(pass, node, (*function, *ports), rows, places),
        Operation::Repartition {
            topic,
            keep_null_keys,
            answers,
            ..
        } => {
            let topic = sink::Internal {
                topic,
                keep_null_keys: *keep_null_keys,
                answers: *answers,
            };
            Ok(sink::repartition(pass, node, topic, rows, places))
        }
        Operation::Aggregate { .. } => aggregate::run(pass, node, &rows, inputs, places),
        Operation::Suppress { until, .. } => {
            suppress::run(pass, (node, *until), (&rows, olds.as_ref()), places)
        }
        Operation::StreamTableJoin {
            kind,
            function,
            view,
            buffer,
            ..
        } => {
            let join = stream_table_join::Join {
                kind: *kind,
                function: *function,
                view,
                buffer: buffer.map(|(grace, store)| join_buffer::JoinBuffer { store, grace }),
            };
            stream_table_join::run(pass, node, &join, rows, places)
        }
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

/// Runs a node of tables, each row with what its key had before.
fn run_table(
    pass: &mut Pass<'_>,
    node: NodeId,
    (rows, olds): (Batch, Option<Column>),
    inputs: &Inputs,
    places: &Places,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    match &topology.node(node).operation {
        Operation::TableMap {
            function,
            filters,
            store,
        } => {
            let map = table_map::Map {
                function: *function,
                filters: *filters,
                store: *store,
            };
            table_map::run(pass, node, &map, (&rows, olds.as_ref()), places)
        }
        Operation::TableGroupBy { function } => {
            table_group_by::run(pass, node, *function, (&rows, olds.as_ref()), places)
        }
        Operation::TableAggregate { aggregator, store } => {
            table_aggregate::run(pass, node, (*aggregator, *store), &rows, places)
        }
        Operation::TableTableJoin {
            kind,
            function,
            left,
            right,
            store,
        } => {
            let join = table_table_join::Join {
                kind: *kind,
                function: *function,
                left,
                right,
                store: *store,
            };
            table_table_join::run(pass, node, &join, (&rows, olds.as_ref(), inputs), places)
        }
        Operation::Subscribe {
            kind,
            foreign_key,
            results,
        } => {
            let subscribe = foreign_key::subscribe::Subscribe {
                kind: *kind,
                foreign_key: *foreign_key,
                results: *results,
            };
            let changes = (&rows, olds.as_ref());
            foreign_key::subscribe::run(pass, node, &subscribe, changes, places)
        }
        Operation::Subscriptions { store, right } => {
            let arrived = (&rows, inputs);
            foreign_key::subscriptions::run(pass, node, (*store, right), arrived, places)
        }
        Operation::ForeignKeyJoin {
            kind,
            function,
            left,
            store,
            ..
        } => {
            let join = foreign_key::join::Join {
                kind: *kind,
                function: *function,
                left,
                store: *store,
            };
            foreign_key::join::run(pass, node, &join, &rows, places)
        }
        _ => unreachable!("only operators of tables come here"),
    }
}
