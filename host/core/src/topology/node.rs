//! A compiled node: its operation with names resolved, and the edges in both directions.

use crate::functions::FunctionId;
use crate::store::StoreId;

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
    Table { topic: String, store: StoreId },
    /// A topic of which every task has the whole as a table.
    GlobalTable { topic: String, store: StoreId },
    /// A stream made a table.
    ToTable { store: StoreId },
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
        store: StoreId,
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
            Operation::Table { store, .. }
            | Operation::GlobalTable { store, .. }
            | Operation::ToTable { store }
            | Operation::Aggregate { store, .. }
            | Operation::Suppress { store, .. }
            | Operation::Update { store, .. } => vec![*store],
            Operation::StreamStreamJoin { left, right, .. } => vec![*left, *right],
            Operation::Process { stores, .. } => stores.clone(),
            _ => Vec::new(),
        }
    }

    /// The stores that it reads or writes.
    pub fn touches(&self) -> Vec<StoreId> {
        match self {
            Operation::StreamTableJoin { store, .. } | Operation::GlobalTableJoin { store, .. } => {
                vec![*store]
            }
            _ => self.writes(),
        }
    }

    /// Its kind, for people and for the comparison of versions.
    pub fn label(&self) -> &'static str {
        match self {
            Operation::Source { .. } => "source",
            Operation::Table { .. } => "table",
            Operation::GlobalTable { .. } => "global table",
            Operation::ToTable { .. } => "to-table",
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
