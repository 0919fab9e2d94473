//! What a service declares, as it crosses the border (`wit/topology.wit`): unchecked.
//!
//! Nodes refer to each other by position, functions are numbers, stores and topics are names. Only
//! `compile` makes a topology of it.

use crate::functions::FunctionId;

pub use super::window::{Emit, Window};

/// A service's declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Inputs stand before their readers.
    pub nodes: Vec<Node>,
    /// The key-value stores that are not some operator's own.
    pub stores: Vec<Store>,
    /// HTTP.
    pub routes: Vec<Route>,
}

/// One operator and what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique in the topology.
    pub name: String,
    /// In the operator's own order (a join: left, then right).
    pub inputs: Vec<Edge>,
    /// What it does.
    pub operator: Operator,
}

impl Description {
    /// The windows that the keys of a node's rows are of, found above it.
    pub(super) fn windows_of(&self, node: &Node) -> Option<Window> {
        match &node.operator {
            Operator::Aggregate { window, .. } => *window,
            Operator::Transform { rekeys: true, .. } => None,
            // Inputs stand before their readers, so this ends.
            _ => {
                let above = node.inputs.first()?.node as usize;
                let place = self
                    .nodes
                    .iter()
                    .position(|other| std::ptr::eq(other, node))?;
                let above = self.nodes.get(above).filter(|_| above < place)?;
                self.windows_of(above)
            }
        }
    }
}

/// A node's output that another node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Position in [`Description::nodes`].
    pub node: u32,
    /// 0 but for a transform with several ports.
    pub port: u8,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented on the records that they come from, in wit/topology.wit"
)]
pub enum Operator {
    /// A topic as a stream.
    Source { topic: String },
    /// A topic as a table.
    Table {
        topic: String,
        store: Option<String>,
        history: Option<i64>,
    },
    /// A topic of which every task has the whole as a table.
    GlobalTable { topic: String, store: String },
    /// A stream made a table.
    ToTable { store: Option<String> },
    /// Rows of a table that pass; tombstones of those that do not.
    TableFilter {
        function: FunctionId,
        store: Option<String>,
    },
    /// A table with other values.
    TableMapValues {
        function: FunctionId,
        store: Option<String>,
    },
    /// A table's rows under other keys, for aggregates of the groups.
    TableGroupBy { function: FunctionId },
    /// An aggregate of a grouped table: what leaves a group is subtracted.
    TableAggregate {
        aggregator: Aggregator,
        store: String,
    },
    /// Inputs: left table, right table, with the same keys.
    TableTableJoin {
        kind: JoinKind,
        function: FunctionId,
        store: Option<String>,
    },
    /// Inputs: left table, right table; a left row says which key of the right table it is about.
    ForeignKeyJoin {
        kind: JoinKind,
        function: FunctionId,
        foreign_key: FunctionId,
        store: Option<String>,
    },
    /// A run of filters, maps and branches, fused.
    Transform {
        function: FunctionId,
        ports: u8,
        steps: Vec<String>,
        rekeys: bool,
    },
    /// Inputs side by side, in the order of their rows.
    Merge,
    /// Through an internal topic, partitioned by key.
    Repartition {
        name: String,
        partitions: Option<u32>,
    },
    /// Count, reduce, aggregate; plain or in windows. Several inputs are a cogroup.
    Aggregate {
        aggregator: Aggregator,
        store: String,
        window: Option<Window>,
        emit: Emit,
        skip_null_values: bool,
    },
    /// Updates of a table, held back.
    Suppress { store: String, until: Until },
    /// Inputs: stream, table.
    StreamTableJoin {
        kind: JoinKind,
        function: FunctionId,
        grace: Option<i64>,
    },
    /// Inputs: stream, global table.
    GlobalTableJoin {
        kind: JoinKind,
        function: FunctionId,
        key: FunctionId,
    },
    /// Inputs: left stream, right stream.
    StreamStreamJoin(StreamStreamJoin),
    /// A keyed processor with one value a key.
    Update { function: FunctionId, store: String },
    /// A free processor.
    Process {
        function: FunctionId,
        stores: Vec<String>,
        schedules: Vec<Schedule>,
    },
    /// Rows to a topic.
    Sink { topic: String },
}

/// How an aggregate makes its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregator {
    /// A 64-bit big-endian count, made by the engine itself.
    Count,
    /// `fold` with this function.
    Function(FunctionId),
}

/// Until when a suppress holds an update back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Its window closes; the table above has windows.
    WindowCloses,
    /// Stream time has gone on for `limit` milliseconds, or more keys than `max_rows` are held
    /// back.
    #[expect(missing_docs, reason = "the variant says it")]
    TimeLimit { limit: i64, max_rows: Option<u64> },
}

/// Which sides of a join may stand alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Neither.
    Inner,
    /// The left one.
    Left,
    /// Both.
    Outer,
}

/// A windowed join: a right row joins where its timestamp is in `[left - before, left + after]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStreamJoin {
    /// Which sides may stand alone.
    pub kind: JoinKind,
    /// The joiner.
    pub function: FunctionId,
    /// Milliseconds.
    pub before: i64,
    /// Milliseconds.
    pub after: i64,
    /// Milliseconds.
    pub grace: i64,
    /// Rows of the left side.
    pub left_store: String,
    /// Rows of the right side.
    pub right_store: String,
}

/// By which clock a schedule is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The task's stream time.
    StreamTime,
    /// The host's clock.
    WallClock,
}

/// A punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Milliseconds, at least 1.
    pub interval: i64,
    /// By which clock.
    pub clock: Clock,
}

/// A key-value store that processors and routes share by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Unique in the topology.
    pub name: String,
    /// Whether it has a changelog.
    pub logged: bool,
}

/// What kind of request a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Taken by the worker between rows.
    Command,
    /// Answered from committed state.
    Query,
}

/// Which key a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteKey {
    /// The utf-8 bytes of this parameter of the path.
    Parameter(String),
    /// `locate` with this function.
    Function(FunctionId),
}

/// An HTTP route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Upper case.
    pub method: String,
    /// Literal parts and `{named}` parameters.
    pub path: String,
    /// Command or query.
    pub kind: RouteKind,
    /// `handle` or `answer` with this function.
    pub function: FunctionId,
    /// Which key the request is about.
    pub key: RouteKey,
    /// By position; at least one.
    pub stores: Vec<String>,
    /// The topics that a command appends to, by position.
    pub topics: Vec<String>,
}
