//! Between the engine's types and the contract's: the same shapes under other names.

use weir_core::functions as port;
use weir_core::record;
use weir_core::topology::description as engine;

use crate::bindings::weir::service::{http, records, topology as wire};

/// To the contract's type.
pub(super) trait ToWire {
    type Wire;
    fn to_wire(&self) -> Self::Wire;
}

/// To the engine's type.
pub(super) trait IntoEngine {
    type Engine;
    fn into_engine(self) -> Self::Engine;
}

impl ToWire for record::Column {
    type Wire = records::Column;

    fn to_wire(&self) -> records::Column {
        records::Column {
            bytes: self.bytes().to_vec(),
            lengths: self.lengths().to_vec(),
        }
    }
}

impl IntoEngine for records::Column {
    type Engine = record::Column;

    fn into_engine(self) -> record::Column {
        record::Column::from_parts(self.bytes, self.lengths).expect("the SDK's columns add up")
    }
}

impl ToWire for record::Batch {
    type Wire = records::Batch;

    fn to_wire(&self) -> records::Batch {
        let headers = self.headers.as_ref().map(|headers| {
            let (counts, names, values) = headers.parts();
            records::HeaderColumns {
                counts: counts.to_vec(),
                names: names.to_wire(),
                values: values.to_wire(),
            }
        });
        records::Batch {
            keys: self.keys.to_wire(),
            values: self.values.to_wire(),
            timestamps: self.timestamps.clone(),
            headers,
        }
    }
}

impl IntoEngine for records::Output {
    type Engine = port::Output;

    fn into_engine(self) -> port::Output {
        port::Output {
            rows: record::Batch {
                keys: self.rows.keys.into_engine(),
                values: self.rows.values.into_engine(),
                timestamps: self.rows.timestamps,
                headers: None,
            },
            origins: self.origins,
            ports: self.ports,
            rejected: self
                .rejected
                .into_iter()
                .map(IntoEngine::into_engine)
                .collect(),
        }
    }
}

impl IntoEngine for records::Rejection {
    type Engine = port::Rejection;

    fn into_engine(self) -> port::Rejection {
        port::Rejection {
            row: self.row,
            reason: self.reason,
        }
    }
}

impl IntoEngine for records::Combined {
    type Engine = port::Combined;

    fn into_engine(self) -> port::Combined {
        port::Combined {
            values: self.values.into_engine(),
            rejected: self
                .rejected
                .into_iter()
                .map(IntoEngine::into_engine)
                .collect(),
        }
    }
}

impl ToWire for port::Steps {
    type Wire = records::Steps;

    fn to_wire(&self) -> records::Steps {
        records::Steps {
            kinds: self.kinds.iter().map(|kind| *kind as u8).collect(),
            left: self.left.clone(),
            right: self.right.clone(),
            rows: self.rows.clone(),
        }
    }
}

impl IntoEngine for records::Folded {
    type Engine = port::Folded;

    fn into_engine(self) -> port::Folded {
        port::Folded {
            states: self.states.into_engine(),
            rejected: self.rejected.map(IntoEngine::into_engine),
        }
    }
}

impl IntoEngine for records::Updated {
    type Engine = port::Updated;

    fn into_engine(self) -> port::Updated {
        port::Updated {
            output: self.output.into_engine(),
            states: self.states.into_engine(),
        }
    }
}

impl ToWire for port::Request {
    type Wire = http::Request;

    fn to_wire(&self) -> http::Request {
        let port::Request {
            method,
            path,
            parameters,
            query,
            headers,
            body,
            time,
            unique,
        } = self.clone();
        http::Request {
            method,
            path,
            parameters,
            query,
            headers,
            body,
            time,
            unique,
        }
    }
}

impl IntoEngine for http::Response {
    type Engine = port::Response;

    fn into_engine(self) -> port::Response {
        port::Response {
            status: self.status,
            headers: self.headers,
            body: self.body,
        }
    }
}

impl IntoEngine for http::Outcome {
    type Engine = port::Outcome;

    fn into_engine(self) -> port::Outcome {
        let appended = |row: http::Appended| port::Appended {
            topic: row.topic,
            key: row.key,
            value: row.value,
        };
        port::Outcome {
            response: self.response.into_engine(),
            rows: self.rows.into_iter().map(appended).collect(),
        }
    }
}

impl IntoEngine for wire::Description {
    type Engine = engine::Description;

    fn into_engine(self) -> engine::Description {
        let node = |node: wire::Node| engine::Node {
            name: node.name,
            inputs: node.inputs.into_iter().map(edge).collect(),
            operator: operator(node.operator),
        };
        let store = |store: wire::Store| engine::Store {
            name: store.name,
            logged: store.logged,
        };
        engine::Description {
            nodes: self.nodes.into_iter().map(node).collect(),
            stores: self.stores.into_iter().map(store).collect(),
            routes: self.routes.into_iter().map(route).collect(),
        }
    }
}

fn edge(edge: wire::Edge) -> engine::Edge {
    engine::Edge {
        node: edge.node,
        port: edge.port,
    }
}

fn operator(operator: wire::Operator) -> engine::Operator {
    let function = port::FunctionId;
    match operator {
        wire::Operator::Source(topic) => engine::Operator::Source { topic },
        wire::Operator::Table(table) => engine::Operator::Table {
            topic: table.topic,
            store: table.store,
            history: table.history,
        },
        wire::Operator::GlobalTable(table) => engine::Operator::GlobalTable {
            topic: table.topic,
            store: table.store,
        },
        wire::Operator::ToTable(store) => engine::Operator::ToTable { store },
        wire::Operator::TableFilter(_)
        | wire::Operator::TableMapValues(_)
        | wire::Operator::TableGroupBy(_)
        | wire::Operator::TableAggregate(_)
        | wire::Operator::TableTableJoin(_)
        | wire::Operator::ForeignKeyJoin(_) => table_operator(operator),
        wire::Operator::Transform(transform) => engine::Operator::Transform {
            function: function(transform.function),
            ports: transform.ports,
            steps: transform.steps,
            rekeys: transform.rekeys,
        },
        wire::Operator::Merge => engine::Operator::Merge,
        wire::Operator::Repartition(repartition) => engine::Operator::Repartition {
            name: repartition.name,
            partitions: repartition.partitions,
        },
        wire::Operator::Aggregate(node) => aggregate(node),
        wire::Operator::Suppress(suppress) => engine::Operator::Suppress {
            store: suppress.store,
            until: match suppress.until {
                wire::Until::WindowCloses => engine::Until::WindowCloses,
                wire::Until::TimeLimit(wire::TimeLimit { limit, max_rows }) => {
                    engine::Until::TimeLimit { limit, max_rows }
                }
            },
        },
        wire::Operator::StreamTableJoin(join) => engine::Operator::StreamTableJoin {
            kind: join_kind(join.kind),
            function: function(join.function),
            grace: join.grace,
        },
        wire::Operator::GlobalTableJoin(join) => engine::Operator::GlobalTableJoin {
            kind: join_kind(join.kind),
            function: function(join.function),
            key: function(join.key),
        },
        wire::Operator::StreamStreamJoin(join) => stream_join(join),
        wire::Operator::Update(update) => engine::Operator::Update {
            function: function(update.function),
            store: update.store,
        },
        wire::Operator::Process(process) => engine::Operator::Process {
            function: function(process.function),
            stores: process.stores,
            schedules: process.schedules.into_iter().map(schedule).collect(),
        },
        wire::Operator::Sink(topic) => engine::Operator::Sink { topic },
    }
}

/// The operators of tables.
fn table_operator(operator: wire::Operator) -> engine::Operator {
    match operator {
        wire::Operator::TableFilter(filter) => engine::Operator::TableFilter {
            function: port::FunctionId(filter.function),
            store: filter.store,
        },
        wire::Operator::TableMapValues(map) => engine::Operator::TableMapValues {
            function: port::FunctionId(map.function),
            store: map.store,
        },
        wire::Operator::TableGroupBy(group_by) => engine::Operator::TableGroupBy {
            function: port::FunctionId(group_by.function),
        },
        wire::Operator::TableAggregate(aggregate) => engine::Operator::TableAggregate {
            aggregator: aggregator(aggregate.aggregator),
            store: aggregate.store,
        },
        wire::Operator::TableTableJoin(join) => engine::Operator::TableTableJoin {
            kind: join_kind(join.kind),
            function: port::FunctionId(join.function),
            store: join.store,
        },
        wire::Operator::ForeignKeyJoin(join) => engine::Operator::ForeignKeyJoin {
            kind: join_kind(join.kind),
            function: port::FunctionId(join.function),
            foreign_key: port::FunctionId(join.foreign_key),
            store: join.store,
        },
        _ => unreachable!("only operators of tables come here"),
    }
}

fn aggregator(aggregator: wire::Aggregator) -> engine::Aggregator {
    match aggregator {
        wire::Aggregator::Count => engine::Aggregator::Count,
        wire::Aggregator::Function(function) => {
            engine::Aggregator::Function(port::FunctionId(function))
        }
    }
}

fn aggregate(aggregate: wire::Aggregate) -> engine::Operator {
    let window = aggregate.window.map(|window| match window {
        wire::Window::Hopping((size, advance, grace)) => engine::Window::Hopping {
            size,
            advance,
            grace,
        },
        wire::Window::Sliding((size, grace)) => engine::Window::Sliding { size, grace },
        wire::Window::Session((gap, grace)) => engine::Window::Session { gap, grace },
    });
    engine::Operator::Aggregate {
        aggregator: aggregator(aggregate.aggregator),
        store: aggregate.store,
        window,
        emit: match aggregate.emit {
            wire::Emit::OnUpdate => engine::Emit::OnUpdate,
            wire::Emit::OnWindowClose => engine::Emit::OnWindowClose,
        },
        skip_null_values: aggregate.skip_null_values,
    }
}

fn stream_join(join: wire::StreamJoin) -> engine::Operator {
    engine::Operator::StreamStreamJoin(engine::StreamStreamJoin {
        kind: join_kind(join.kind),
        function: port::FunctionId(join.function),
        before: join.before,
        after: join.after,
        grace: join.grace,
        left_store: join.left_store,
        right_store: join.right_store,
    })
}

fn join_kind(kind: wire::JoinKind) -> engine::JoinKind {
    match kind {
        wire::JoinKind::Inner => engine::JoinKind::Inner,
        wire::JoinKind::Left => engine::JoinKind::Left,
        wire::JoinKind::Outer => engine::JoinKind::Outer,
    }
}

fn schedule(schedule: wire::Schedule) -> engine::Schedule {
    engine::Schedule {
        interval: schedule.interval,
        clock: match schedule.clock {
            wire::Clock::StreamTime => engine::Clock::StreamTime,
            wire::Clock::WallClock => engine::Clock::WallClock,
        },
    }
}

fn route(route: wire::Route) -> engine::Route {
    engine::Route {
        method: route.method,
        path: route.path,
        kind: match route.kind {
            wire::RouteKind::Command => engine::RouteKind::Command,
            wire::RouteKind::Query => engine::RouteKind::Query,
        },
        function: port::FunctionId(route.function),
        key: match route.key {
            wire::RouteKey::Parameter(name) => engine::RouteKey::Parameter(name),
            wire::RouteKey::Function(function) => {
                engine::RouteKey::Function(port::FunctionId(function))
            }
        },
        stores: route.stores,
        topics: route.topics,
    }
}
