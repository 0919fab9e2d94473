//! The comparison of two versions of a service: may one take the other's place between two
//! transactions?
//!
//! They have the same shape if their sub-topologies, nodes, stores and topics are the same, by name
//! and by number. Functions, steps and routes may differ: they hold no state.

use std::fmt;

use super::{Node, Operation, Topology};

/// Something that two topologies do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// "store", "node" or "order".
    pub what: &'static str,
    /// The name of what differs.
    pub name: String,
    /// As it is in the running version; `None`: it is not there.
    pub running: Option<String>,
    /// As it is in the other version; `None`: it is not there.
    pub other: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, name, .. } = self;
        match (&self.running, &self.other) {
            (Some(running), Some(other)) => {
                write!(f, "{what} `{name}` was {running} and is {other}")
            }
            (Some(running), None) => write!(f, "{what} `{name}` ({running}) is gone"),
            (None, Some(other)) => write!(f, "{what} `{name}` ({other}) is new"),
            (None, None) => write!(f, "{what} `{name}` differs"),
        }
    }
}

impl Topology {
    /// What `other` has that this topology has not, the other way round, or in another form. Empty:
    /// the same shape.
    pub fn differences(&self, other: &Topology) -> Vec<Difference> {
        let mut differences = Vec::new();
        compare(
            "store",
            &self.described_stores(),
            &other.described_stores(),
            &mut differences,
        );
        compare(
            "node",
            &self.described_nodes(),
            &other.described_nodes(),
            &mut differences,
        );
        differences
    }

    fn described_stores(&self) -> Vec<(String, String)> {
        let described = |store: &super::StoreSpec| {
            let topic = store.changelog.topic().unwrap_or("nothing");
            let home = store.subtopology.map_or("everywhere".to_owned(), |number| {
                format!("in sub-topology {number}")
            });
            (
                store.name.clone(),
                format!("{:?}, restored from {topic}, {home}", store.kind),
            )
        };
        self.stores.iter().map(described).collect()
    }

    fn described_nodes(&self) -> Vec<(String, String)> {
        self.nodes
            .iter()
            .map(|node| (node.name.clone(), self.described_node(node)))
            .collect()
    }

    fn described_node(&self, node: &Node) -> String {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| format!("`{}`:{}", self.node(input.node).name, input.port))
            .collect();
        let stores: Vec<&str> = node
            .operation
            .touches()
            .iter()
            .map(|&store| self.store(store).name.as_str())
            .collect();
        let own = match &node.operation {
            Operation::Source { topic }
            | Operation::Table { topic, .. }
            | Operation::GlobalTable { topic, .. }
            | Operation::Sink { topic } => format!(" topic {topic}"),
            Operation::Repartition {
                topic, partitions, ..
            } => format!(" topic {topic}, partitions {partitions:?}"),
            Operation::Transform { ports, .. } => format!(" with {ports} outputs"),
            Operation::Aggregate { window, emit, .. } => format!(" {window:?} {emit:?}"),
            Operation::Suppress { until, .. } => format!(" {until:?}"),
            Operation::StreamStreamJoin {
                kind,
                before,
                after,
                grace,
                ..
            } => {
                format!(" {kind:?}, before {before} ms, after {after} ms, grace {grace} ms")
            }
            Operation::StreamTableJoin {
                kind,
                buffer: Some((grace, _)),
                ..
            } => format!(" {kind:?}, grace {grace} ms"),
            Operation::StreamTableJoin { kind, .. }
            | Operation::GlobalTableJoin { kind, .. }
            | Operation::TableTableJoin { kind, .. }
            | Operation::Subscribe { kind, .. }
            | Operation::ForeignKeyJoin { kind, .. } => format!(" {kind:?}"),
            Operation::Process { schedules, .. } => format!(" {schedules:?}"),
            Operation::ToTable { .. }
            | Operation::TableMap { .. }
            | Operation::TableGroupBy { .. }
            | Operation::TableAggregate { .. }
            | Operation::Subscriptions { .. }
            | Operation::Merge
            | Operation::Update { .. } => String::new(),
        };
        format!(
            "a {}{own} of [{}] with stores [{}]",
            node.operation.label(),
            inputs.join(", "),
            stores.join(", ")
        )
    }
}

fn compare(
    what: &'static str,
    running: &[(String, String)],
    other: &[(String, String)],
    differences: &mut Vec<Difference>,
) {
    let before = differences.len();
    let find = |all: &[(String, String)], name: &str| {
        all.iter()
            .find(|(n, _)| n == name)
            .map(|(_, form)| form.clone())
    };
    for (name, form) in running {
        let there = find(other, name);
        if there.as_ref() != Some(form) {
            let running = Some(form.clone());
            differences.push(Difference {
                what,
                name: name.clone(),
                running,
                other: there,
            });
        }
    }
    for (name, form) in other {
        if find(running, name).is_none() {
            differences.push(Difference {
                what,
                name: name.clone(),
                running: None,
                other: Some(form.clone()),
            });
        }
    }
    let names = |all: &[(String, String)]| {
        all.iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if differences.len() == before && names(running) != names(other) {
        let (running, other) = (Some(names(running)), Some(names(other)));
        differences.push(Difference {
            what: "order",
            name: format!("of {what}s"),
            running,
            other,
        });
    }
}
