//! A guest's description in the engine's words.

use weir_core::functions::FunctionId;
use weir_core::topology::description::{
    Aggregator, Clock, Description, Edge, Emit, JoinKind, Node, Operator, Route, RouteKey,
    RouteKind, Schedule, Store, StreamStreamJoin, Until, Window,
};

use super::bindings::weir::service::topology as wit;

pub(super) fn description(described: wit::Description) -> Description {
    Description {
        nodes: described.nodes.into_iter().map(node).collect(),
        stores: described.stores.into_iter().map(store).collect(),
        routes: described.routes.into_iter().map(route).collect(),
    }
}

fn node(node: wit::Node) -> Node {
    let edge = |edge: wit::Edge| Edge {
        node: edge.node,
        port: edge.port,
    };
    Node {
        name: node.name,
        inputs: node.inputs.into_iter().map(edge).collect(),
        operator: operator(node.operator),
    }
}

fn operator(operator: wit::Operator) -> Operator {
    match operator {
        wit::Operator::Source(topic) => Operator::Source { topic },
        wit::Operator::Table(table) => Operator::Table {
            topic: table.topic,
            store: table.store,
            history: table.history,
        },
        wit::Operator::GlobalTable(table) => Operator::GlobalTable {
            topic: table.topic,
            store: table.store,
        },
        wit::Operator::ToTable(store) => Operator::ToTable { store },
        wit::Operator::TableFilter(_)
        | wit::Operator::TableMapValues(_)
        | wit::Operator::TableGroupBy(_)
        | wit::Operator::TableAggregate(_)
        | wit::Operator::TableTableJoin(_)
        | wit::Operator::ForeignKeyJoin(_) => table_operator(operator),
        wit::Operator::Transform(transform) => Operator::Transform {
            function: FunctionId(transform.function),
            ports: transform.ports,
            steps: transform.steps,
            rekeys: transform.rekeys,
        },
        wit::Operator::Merge => Operator::Merge,
        wit::Operator::Repartition(repartition) => Operator::Repartition {
            name: repartition.name,
            partitions: repartition.partitions,
        },
        wit::Operator::Aggregate(aggregate) => Operator::Aggregate {
            aggregator: aggregator(aggregate.aggregator),
            store: aggregate.store,
            window: aggregate.window.map(window),
            emit: match aggregate.emit {
                wit::Emit::OnUpdate => Emit::OnUpdate,
                wit::Emit::OnWindowClose => Emit::OnWindowClose,
            },
            skip_null_values: aggregate.skip_null_values,
        },
        wit::Operator::Suppress(suppress) => Operator::Suppress {
            store: suppress.store,
            until: match suppress.until {
                wit::Until::WindowCloses => Until::WindowCloses,
                wit::Until::TimeLimit(wit::TimeLimit { limit, max_rows }) => {
                    Until::TimeLimit { limit, max_rows }
                }
            },
        },
        wit::Operator::StreamTableJoin(join) => Operator::StreamTableJoin {
            kind: kind(join.kind),
            function: FunctionId(join.function),
            grace: join.grace,
        },
        wit::Operator::GlobalTableJoin(join) => Operator::GlobalTableJoin {
            kind: kind(join.kind),
            function: FunctionId(join.function),
            key: FunctionId(join.key),
        },
        wit::Operator::StreamStreamJoin(join) => Operator::StreamStreamJoin(stream_join(join)),
        wit::Operator::Update(update) => Operator::Update {
            function: FunctionId(update.function),
            store: update.store,
        },
        wit::Operator::Process(process) => Operator::Process {
            function: FunctionId(process.function),
            stores: process.stores,
            schedules: process.schedules.into_iter().map(schedule).collect(),
        },
        wit::Operator::Sink(topic) => Operator::Sink { topic },
    }
}

/// The operators of tables.
fn table_operator(operator: wit::Operator) -> Operator {
    match operator {
        wit::Operator::TableFilter(filter) => Operator::TableFilter {
            function: FunctionId(filter.function),
            store: filter.store,
        },
        wit::Operator::TableMapValues(map) => Operator::TableMapValues {
            function: FunctionId(map.function),
            store: map.store,
        },
        wit::Operator::TableGroupBy(group_by) => Operator::TableGroupBy {
            function: FunctionId(group_by.function),
        },
        wit::Operator::TableAggregate(aggregate) => Operator::TableAggregate {
            aggregator: aggregator(aggregate.aggregator),
            store: aggregate.store,
        },
        wit::Operator::TableTableJoin(join) => Operator::TableTableJoin {
            kind: kind(join.kind),
            function: FunctionId(join.function),
            store: join.store,
        },
        wit::Operator::ForeignKeyJoin(join) => Operator::ForeignKeyJoin {
            kind: kind(join.kind),
            function: FunctionId(join.function),
            foreign_key: FunctionId(join.foreign_key),
            store: join.store,
        },
        _ => unreachable!("only operators of tables come here"),
    }
}

fn aggregator(aggregator: wit::Aggregator) -> Aggregator {
    match aggregator {
        wit::Aggregator::Count => Aggregator::Count,
        wit::Aggregator::Function(function) => Aggregator::Function(FunctionId(function)),
    }
}

fn window(window: wit::Window) -> Window {
    match window {
        wit::Window::Hopping((size, advance, grace)) => Window::Hopping {
            size,
            advance,
            grace,
        },
        wit::Window::Sliding((size, grace)) => Window::Sliding { size, grace },
        wit::Window::Session((gap, grace)) => Window::Session { gap, grace },
    }
}

fn kind(kind: wit::JoinKind) -> JoinKind {
    match kind {
        wit::JoinKind::Inner => JoinKind::Inner,
        wit::JoinKind::Left => JoinKind::Left,
        wit::JoinKind::Outer => JoinKind::Outer,
    }
}

fn stream_join(join: wit::StreamJoin) -> StreamStreamJoin {
    StreamStreamJoin {
        kind: kind(join.kind),
        function: FunctionId(join.function),
        before: join.before,
        after: join.after,
        grace: join.grace,
        left_store: join.left_store,
        right_store: join.right_store,
    }
}

fn schedule(schedule: wit::Schedule) -> Schedule {
    Schedule {
        interval: schedule.interval,
        clock: match schedule.clock {
            wit::Clock::StreamTime => Clock::StreamTime,
            wit::Clock::WallClock => Clock::WallClock,
        },
    }
}

fn store(store: wit::Store) -> Store {
    Store {
        name: store.name,
        logged: store.logged,
    }
}

fn route(route: wit::Route) -> Route {
    Route {
        method: route.method,
        path: route.path,
        kind: match route.kind {
            wit::RouteKind::Command => RouteKind::Command,
            wit::RouteKind::Query => RouteKind::Query,
        },
        function: FunctionId(route.function),
        key: match route.key {
            wit::RouteKey::Parameter(name) => RouteKey::Parameter(name),
            wit::RouteKey::Function(function) => RouteKey::Function(FunctionId(function)),
        },
        stores: route.stores,
        topics: route.topics,
    }
}
