//! Topologies: what a service declares, checked and cut into sub-topologies.
//!
//! A [`description::Description`] is what a guest says; a [`Topology`] is always valid: names
//! resolved to numbers, repartition topics inserted where a keyed operator stands below a step that
//! changes keys, every node in one sub-topology. It knows no partition counts; [`Topology::plan`]
//! adds them.

pub mod description;

mod check;
mod compile;
mod cut;
mod describe;
mod differences;
mod errors;
mod node;
mod order;
mod plan;
mod repartition;
mod route;
mod store_names;
mod table_nodes;
mod tables;
mod task_id;
mod view;
mod window;

pub use compile::compile;
pub use differences::Difference;
pub use errors::Errors;
pub use node::{Child, Input, Node, NodeId, Operation};
pub use plan::{InternalKind, InternalTopic, Plan, TopicFacts};
pub use route::{Route, Segment};
pub use task_id::TaskId;
pub use view::View;
pub use window::Until;

use crate::store::StoreId;
use crate::store::window::Retention;

/// A checked topology. Everything in it is numbered by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    service: String,
    nodes: Vec<Node>,
    subtopologies: Vec<Subtopology>,
    stores: Vec<StoreSpec>,
    routes: Vec<Route>,
}

/// Nodes that run together, in one task for each partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtopology {
    /// Its position, and the first half of its tasks' names.
    pub number: u32,
    /// Topics that it reads, repartition topics included, each once.
    pub inputs: Vec<Source>,
    /// Its nodes, in an order in which inputs stand before readers, and writers of a store before
    /// its other readers.
    pub nodes: Vec<NodeId>,
    /// Its stores.
    pub stores: Vec<StoreId>,
    /// Whether rows must run one by one through all nodes, since two nodes hand rows to each other
    /// through a store.
    pub row_by_row: bool,
    /// Sets of topics whose rows meet in a store, and so need the same number of partitions; of
    /// several stores the first.
    pub copartitioned: Vec<(StoreId, Vec<String>)>,
}

/// A topic that a sub-topology reads, and the nodes that take its rows, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, in full.
    pub topic: String,
    /// Sources and tables.
    pub readers: Vec<NodeId>,
    /// Whether it is a repartition topic of this service.
    pub repartition: bool,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// Unique in the topology.
    pub name: String,
    /// Where it lives; `None`: a global table's.
    pub subtopology: Option<u32>,
    /// What it is restored from.
    pub changelog: Changelog,
    /// What its keys are.
    pub kind: StoreKind,
    /// Whether every task of every host has the whole of it.
    pub global: bool,
    /// Whether processors and commands may write it: it is no operator's own.
    pub shared: bool,
    /// Whether a node other than its writer reads it, so that reads are as of a row's place.
    pub read_by_others: bool,
}

/// What a store is restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changelog {
    /// Nothing: it is lost with the task's place.
    None,
    /// An internal topic of its own.
    Own(String),
    /// The topic that the table is made of.
    Source(String),
}

impl Changelog {
    /// The topic's name, if there is one.
    pub fn topic(&self) -> Option<&str> {
        match self {
            Changelog::None => None,
            Changelog::Own(topic) | Changelog::Source(topic) => Some(topic),
        }
    }
}

/// What a store's keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Plain keys, kept for ever.
    KeyValue,
    /// Windows of an aggregate.
    Window(Retention),
    /// Sessions.
    Session {
        /// Milliseconds before the highest end.
        retention_ms: i64,
    },
    /// Versions of keys; the latest of each is kept for ever.
    Versioned {
        /// Milliseconds before the highest timestamp.
        history_ms: i64,
    },
    /// The rows of one side of a windowed join.
    Join {
        /// Milliseconds before the highest timestamp.
        retention_ms: i64,
    },
    /// What an operator holds back: updates of a table, rows of a join.
    Buffer,
}

impl StoreKind {
    /// How long entries are kept, where not for ever.
    pub fn retention_ms(self) -> Option<i64> {
        match self {
            StoreKind::KeyValue | StoreKind::Versioned { .. } | StoreKind::Buffer => None,
            StoreKind::Window(retention) => Some(retention.ms),
            StoreKind::Session { retention_ms } | StoreKind::Join { retention_ms } => {
                Some(retention_ms)
            }
        }
    }
}

impl Topology {
    /// The service's name: its consumer group, and the prefix of its internal topics.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The same topology with every row sent all the way down before the next: slower, and by
    /// definition right. What batches must not change is measured by it.
    pub fn row_by_row(mut self) -> Topology {
        self.subtopologies
            .iter_mut()
            .for_each(|subtopology| subtopology.row_by_row = true);
        self
    }

    /// All nodes; [`NodeId`] indexes them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of this number. Panics for one of another topology.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The sub-topologies, by number. Global tables are in none.
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.subtopologies
    }

    /// All stores; [`StoreId`] indexes them.
    pub fn stores(&self) -> &[StoreSpec] {
        &self.stores
    }

    /// The store of this number. Panics for one of another topology.
    pub fn store(&self, id: StoreId) -> &StoreSpec {
        &self.stores[id.0 as usize]
    }

    /// The number of a store, by name.
    pub fn store_named(&self, name: &str) -> Option<StoreId> {
        (0..)
            .map(StoreId)
            .zip(&self.stores)
            .find(|(_, spec)| spec.name == name)
            .map(|(id, _)| id)
    }

    /// The routes, in the order of their declaration.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The topics of others that are read by tasks, each once.
    pub fn source_topics(&self) -> Vec<&str> {
        let inputs = self.subtopologies.iter().flat_map(|s| &s.inputs);
        inputs
            .filter(|source| !source.repartition)
            .map(|source| source.topic.as_str())
            .collect()
    }

    /// The topics that sinks and commands write, each once.
    pub fn sink_topics(&self) -> Vec<&str> {
        let sinks = self.nodes.iter().filter_map(|node| match &node.operation {
            Operation::Sink { topic } => Some(topic.as_str()),
            _ => None,
        });
        distinct(
            sinks.chain(
                self.routes
                    .iter()
                    .flat_map(|route| route.topics.iter().map(String::as_str)),
            ),
        )
    }

    /// The topics of global tables, each once.
    pub fn global_topics(&self) -> Vec<&str> {
        distinct(self.nodes.iter().filter_map(|node| match &node.operation {
            Operation::GlobalTable { topic, .. } => Some(topic.as_str()),
            _ => None,
        }))
    }

    /// The internal topics between sub-topologies, each once.
    pub fn repartition_topics(&self) -> Vec<&str> {
        distinct(self.nodes.iter().filter_map(|node| match &node.operation {
            Operation::Repartition { topic, .. } => Some(topic.as_str()),
            _ => None,
        }))
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
