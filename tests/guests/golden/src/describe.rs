//! The case's topology in the contract's words.

use weir_core::topology::description as engine;

use crate::guest::bindings::weir::service::topology::{
    Aggregate, Aggregator, Clock, Description, Edge, Emit, GlobalTableJoin, JoinKind, Node,
    Operator, Process, Repartition, Schedule, Store, StreamJoin, Table, TableJoin, Transform,
    Window,
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

fn operator(operator: engine::Operator) -> Operator {
    use engine::Operator as From;
    match operator {
        From::Source { topic } => Operator::Source(topic),
        From::Table { topic, store } => Operator::Table(Table { topic, store }),
        From::GlobalTable { topic, store } => Operator::GlobalTable(Table { topic, store }),
        From::ToTable { store } => Operator::ToTable(store),
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
            aggregator,
            store,
            window: windows,
            emit,
            skip_null_values,
        } => Operator::Aggregate(Aggregate {
            aggregator: match aggregator {
                engine::Aggregator::Count => Aggregator::Count,
                engine::Aggregator::Function(function) => Aggregator::Function(function.0),
            },
            store,
            window: windows.map(window),
            emit: match emit {
                engine::Emit::OnUpdate => Emit::OnUpdate,
                engine::Emit::OnWindowClose => Emit::OnWindowClose,
            },
            skip_null_values,
        }),
        From::StreamTableJoin { kind: of, function } => Operator::StreamTableJoin(TableJoin {
            kind: kind(of),
            function: function.0,
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
