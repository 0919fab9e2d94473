//! A compiled node: its operation with names resolved, and the edges in both directions.

use crate::functions::FunctionId;
use crate::store::StoreId;

use super::View;
use super::description::{Aggregator, Emit, JoinKind, Schedule, Window};
use super::window::Until;

/// The number of a node in its topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// An output that a node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Whose output.
    pub node: NodeId,
    /// Which of its outputs.
    pub port: u8,
}

/// A node that reads an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Who reads.
    pub node: NodeId,
    /// As which of its inputs.
    pub input: u8,
}

/// One operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique in the topology.
    pub name: String,
    /// In the operator's own order. The table of a join is none: it is read through its store.
    pub inputs: Vec<Input>,
    /// Who reads each port, in the order of declaration.
    pub children: Vec<Vec<Child>>,
    /// What it does.
    pub operation: Operation,
    /// Whether it is a table that sends with each row what the key had before.
    pub tells_old: bool,
    /// Where it runs; `None`: a global table.
    pub subtopology: Option<u32>,
}

/// What a node does, with stores by number and topics in full.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are documented in wit/topology.wit")]
pub enum Operation {
    /// A topic as a stream: a user's, or a repartition topic.
    Source { topic: String },
    /// A topic as a table.
    Table {
        topic: String,
        store: Option<StoreId>,
        history: Option<i64>,
    },
    /// A topic of which every task has the whole as a table.
    GlobalTable { topic: String, store: StoreId },
    /// A stream made a table.
    ToTable { store: Option<StoreId> },
    /// A filter (a row that does not pass becomes a tombstone), or other values.
    TableMap {
        function: FunctionId,
        filters: bool,
        store: Option<StoreId>,
    },
    /// Changes of a table under the keys of their groups.
    TableGroupBy { function: FunctionId },
    /// Count, reduce, aggregate of such changes.
    TableAggregate {
        aggregator: Aggregator,
        store: StoreId,
    },
    /// Inputs: left, right.
    TableTableJoin {
        kind: JoinKind,
        function: FunctionId,
        left: View,
        right: View,
        store: Option<StoreId>,
    },
    /// The left table's rows, as subscriptions under their foreign keys.
    Subscribe {
        kind: JoinKind,
        foreign_key: FunctionId,
        /// The join's, where it must know whether there is one: where it is inner.
        results: Option<StoreId>,
    },
    /// Inputs: subscriptions, the right table; what is sent answers subscriptions.
    Subscriptions { store: StoreId, right: View },
    /// Answers, joined with the left table as it is when they come.
    ForeignKeyJoin {
        kind: JoinKind,
        function: FunctionId,
        table: NodeId,
        left: View,
        store: Option<StoreId>,
    },
    /// Fused stateless steps.
    Transform {
        function: FunctionId,
        ports: u8,
        steps: Vec<String>,
        rekeys: bool,
    },
    /// Inputs side by side.
    Merge,
    /// Rows to a repartition topic; rows without a key are dropped unless an outer side of a join
    /// below wants them.
    Repartition {
        topic: String,
        partitions: Option<u32>,
        keep_null_keys: bool,
        /// Whether rows are answers, which go back to the partition that they name.
        answers: bool,
    },
    /// Count, reduce, aggregate; with several inputs a cogroup.
    Aggregate {
        aggregator: Aggregator,
        store: StoreId,
        window: Option<Window>,
        emit: Emit,
        skip_null_values: bool,
    },
    /// Updates of a table, held back.
    Suppress { store: StoreId, until: Until },
    /// The stream is the input, the table is met in its store.
    StreamTableJoin {
        kind: JoinKind,
        function: FunctionId,
        table: NodeId,
        view: View,
        /// The grace, and the store of the rows that wait for its end.
        buffer: Option<(i64, StoreId)>,
    },
    /// The stream is the input, the table is met in its store.
    GlobalTableJoin {
        kind: JoinKind,
        function: FunctionId,
        key: FunctionId,
        table: NodeId,
        store: StoreId,
    },
    /// Inputs: left, right.
    StreamStreamJoin {
        kind: JoinKind,
        function: FunctionId,
        before: i64,
        after: i64,
        grace: i64,
        left: StoreId,
        right: StoreId,
    },
    /// A keyed processor.
    Update {
        function: FunctionId,
        store: StoreId,
    },
    /// A free processor.
    Process {
        function: FunctionId,
        stores: Vec<StoreId>,
        schedules: Vec<Schedule>,
    },
    /// Rows to a topic.
    Sink { topic: String },
}

impl Operation {
    /// The stores that it writes of its own accord.
    pub fn writes(&self) -> Vec<StoreId> {
        match self {
            Operation::GlobalTable { store, .. }
            | Operation::Aggregate { store, .. }
            | Operation::Suppress { store, .. }
            | Operation::TableAggregate { store, .. }
            | Operation::Subscriptions { store, .. }
            | Operation::Update { store, .. } => vec![*store],
            Operation::Table { store, .. }
            | Operation::ToTable { store }
            | Operation::TableMap { store, .. }
            | Operation::TableTableJoin { store, .. }
            | Operation::ForeignKeyJoin { store, .. } => store.iter().copied().collect(),
            Operation::StreamStreamJoin { left, right, .. } => vec![*left, *right],
            Operation::StreamTableJoin { buffer, .. } => {
                buffer.iter().map(|(_, store)| *store).collect()
            }
            Operation::Process { stores, .. } => stores.clone(),
            _ => Vec::new(),
        }
    }

    /// The stores that it reads or writes.
    pub fn touches(&self) -> Vec<StoreId> {
        let mut stores = self.writes();
        match self {
            Operation::GlobalTableJoin { store, .. }
            | Operation::Subscribe {
                results: Some(store),
                ..
            } => stores.push(*store),
            Operation::StreamTableJoin { view, .. }
            | Operation::Subscriptions { right: view, .. }
            | Operation::ForeignKeyJoin { left: view, .. } => view.stores(&mut stores),
            Operation::TableTableJoin { left, right, .. } => {
                left.stores(&mut stores);
                right.stores(&mut stores);
            }
            _ => {}
        }
        stores
    }

    /// Its kind, for people and for the comparison of versions.
    pub fn label(&self) -> &'static str {
        match self {
            Operation::Source { .. } => "source",
            Operation::Table { .. } => "table",
            Operation::GlobalTable { .. } => "global table",
            Operation::ToTable { .. } => "to-table",
            Operation::TableMap { filters: true, .. } => "table filter",
            Operation::TableMap { .. } => "table map-values",
            Operation::TableGroupBy { .. } => "table group-by",
            Operation::TableAggregate { .. } => "table aggregate",
            Operation::TableTableJoin { .. } => "table-table join",
            Operation::Subscribe { .. } => "foreign-key subscription",
            Operation::Subscriptions { .. } => "foreign-key subscriptions",
            Operation::ForeignKeyJoin { .. } => "foreign-key join",
            Operation::Transform { .. } => "transform",
            Operation::Merge => "merge",
            Operation::Repartition { .. } => "repartition",
            Operation::Aggregate { .. } => "aggregate",
            Operation::Suppress { .. } => "suppress",
            Operation::StreamTableJoin { .. } => "stream-table join",
            Operation::GlobalTableJoin { .. } => "stream-global-table join",
            Operation::StreamStreamJoin { .. } => "stream-stream join",
            Operation::Update { .. } => "update",
            Operation::Process { .. } => "process",
            Operation::Sink { .. } => "sink",
        }
    }
}
