//! The case's topology in the contract's words.

use weir_core::functions::FunctionId;
use weir_core::topology::description as engine;

use crate::guest::bindings::weir::service::topology::{
    Aggregate, Aggregator, Clock, Description, Edge, Emit, ForeignKeyJoin, GlobalTable,
    GlobalTableJoin, JoinKind, Node, Operator, Process, Repartition, Schedule, Store, StreamJoin,
    Suppress, Table, TableAggregate, TableGroupBy, TableJoin, TableMap, TableTableJoin, TimeLimit,
    Transform, Until, Window,
};

pub(crate) fn description(description: engine::Description) -> Description {
    Description {
        nodes: description.nodes.into_iter().map(node).collect(),
        stores: description.stores.into_iter().map(store).collect(),
        routes: Vec::new(),
    }
}

fn node(node: engine::Node) -> Node {
    let edge = |edge: engine::Edge| Edge {
        node: edge.node,
        port: edge.port,
    };
    Node {
        name: node.name,
        inputs: node.inputs.into_iter().map(edge).collect(),
        operator: operator(node.operator),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm an operator, none with a thought in it"
)]
fn operator(operator: engine::Operator) -> Operator {
    use engine::Operator as From;
    match operator {
        From::Source { topic } => Operator::Source(topic),
        From::Table {
            topic,
            store,
            history,
        } => Operator::Table(Table {
            topic,
            store,
            history,
        }),
        From::GlobalTable { topic, store } => Operator::GlobalTable(GlobalTable { topic, store }),
        From::ToTable { store } => Operator::ToTable(store),
        From::TableFilter { function, store } => Operator::TableFilter(table_map(function, store)),
        From::TableMapValues { function, store } => {
            Operator::TableMapValues(table_map(function, store))
        }
        From::TableGroupBy { function } => Operator::TableGroupBy(TableGroupBy {
            function: function.0,
        }),
        From::TableAggregate {
            aggregator: of,
            store,
        } => Operator::TableAggregate(TableAggregate {
            aggregator: aggregator(of),
            store,
        }),
        From::TableTableJoin {
            kind: of,
            function,
            store,
        } => Operator::TableTableJoin(TableTableJoin {
            kind: kind(of),
            function: function.0,
            store,
        }),
        From::ForeignKeyJoin {
            kind: of,
            function,
            foreign_key,
            store,
        } => Operator::ForeignKeyJoin(ForeignKeyJoin {
            kind: kind(of),
            function: function.0,
            foreign_key: foreign_key.0,
            store,
        }),
        From::Transform {
            function,
            ports,
            steps,
            rekeys,
        } => Operator::Transform(Transform {
            function: function.0,
            ports,
            steps,
            rekeys,
        }),
        From::Merge => Operator::Merge,
        From::Repartition { name, partitions } => {
            Operator::Repartition(Repartition { name, partitions })
        }
        From::Aggregate {
            aggregator: of,
            store,
            window: windows,
            emit,
            skip_null_values,
        } => Operator::Aggregate(Aggregate {
            aggregator: aggregator(of),
            store,
            window: windows.map(window),
            emit: match emit {
                engine::Emit::OnUpdate => Emit::OnUpdate,
                engine::Emit::OnWindowClose => Emit::OnWindowClose,
            },
            skip_null_values,
        }),
        From::Suppress { store, until } => Operator::Suppress(Suppress {
            store,
            until: match until {
                engine::Until::WindowCloses => Until::WindowCloses,
                engine::Until::TimeLimit { limit, max_rows } => {
                    Until::TimeLimit(TimeLimit { limit, max_rows })
                }
            },
        }),
        From::StreamTableJoin {
            kind: of,
            function,
            grace,
        } => Operator::StreamTableJoin(TableJoin {
            kind: kind(of),
            function: function.0,
            grace,
        }),
        From::GlobalTableJoin {
            kind: of,
            function,
            key,
        } => Operator::GlobalTableJoin(GlobalTableJoin {
            kind: kind(of),
            function: function.0,
            key: key.0,
        }),
        From::StreamStreamJoin(join) => Operator::StreamStreamJoin(StreamJoin {
            kind: kind(join.kind),
            function: join.function.0,
            before: join.before,
            after: join.after,
            grace: join.grace,
            left_store: join.left_store,
            right_store: join.right_store,
        }),
        From::Process {
            function,
            stores,
            schedules,
        } => Operator::Process(Process {
            function: function.0,
            stores,
            schedules: schedules.iter().map(schedule).collect(),
        }),
        From::Sink { topic } => Operator::Sink(topic),
        other => panic!("no case has it: {other:?}"),
    }
}

fn aggregator(aggregator: engine::Aggregator) -> Aggregator {
    match aggregator {
        engine::Aggregator::Count => Aggregator::Count,
        engine::Aggregator::Function(function) => Aggregator::Function(function.0),
    }
}

fn table_map(function: FunctionId, store: Option<String>) -> TableMap {
    TableMap {
        function: function.0,
        store,
    }
}

fn window(window: engine::Window) -> Window {
    match window {
        engine::Window::Hopping {
            size,
            advance,
            grace,
        } => Window::Hopping((size, advance, grace)),
        engine::Window::Sliding { size, grace } => Window::Sliding((size, grace)),
        engine::Window::Session { gap, grace } => Window::Session((gap, grace)),
    }
}

fn kind(kind: engine::JoinKind) -> JoinKind {
    match kind {
        engine::JoinKind::Inner => JoinKind::Inner,
        engine::JoinKind::Left => JoinKind::Left,
        engine::JoinKind::Outer => JoinKind::Outer,
    }
}

fn schedule(schedule: &engine::Schedule) -> Schedule {
    Schedule {
        interval: schedule.interval,
        clock: match schedule.clock {
            engine::Clock::StreamTime => Clock::StreamTime,
            engine::Clock::WallClock => Clock::WallClock,
        },
    }
}

fn store(store: engine::Store) -> Store {
    Store {
        name: store.name,
        logged: store.logged,
    }
}
