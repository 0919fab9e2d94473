//! The topology as text, in the layout of Kafka Streams' `Topology.describe()`.
//!
//! A table from a topic is a source and a processor there, and so it is here. The table of a join
//! is not an input of it, but one of its stores.

use std::fmt::Write;

use super::{Node, NodeId, Operation, Topology};

/// One entry of the text.
struct Entry {
    head: String,
    successors: Option<Vec<String>>,
    predecessors: Option<Vec<String>>,
}

impl Topology {
    /// The topology as text, in the layout of Kafka Streams' `Topology.describe()`.
    pub fn describe(&self) -> String {
        let mut text = String::from("Topologies:\n");
        for subtopology in &self.subtopologies {
            let number = subtopology.number;
            text += &format!("   Sub-topology: {number}\n");
            let mut nodes = subtopology.nodes.clone();
            nodes.sort_unstable();
            nodes
                .iter()
                .for_each(|&id| self.describe_node(id, &mut text));
            text.push('\n');
        }
        let global = |node: &&Node| matches!(node.operation, Operation::GlobalTable { .. });
        let all = self.nodes.iter().enumerate();
        let globals = all.filter(|(_, node)| global(node));
        for (number, (position, _)) in (self.subtopologies.len()..).zip(globals) {
            text +=
                &format!("   Sub-topology: {number} for global store (will not generate tasks)\n");
            self.describe_node(
                NodeId(u32::try_from(position).expect("the number of nodes is checked")),
                &mut text,
            );
            text.push('\n');
        }
        text
    }

    fn describe_node(&self, id: NodeId, text: &mut String) {
        for entry in self.entries(self.node(id)) {
            let list = |names: Vec<String>| {
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            };
            text.push_str("    ");
            text.push_str(&entry.head);
            text.push('\n');
            if let Some(names) = entry.successors {
                writeln!(text, "      --> {}", list(names)).expect("a string takes text");
            }
            if let Some(names) = entry.predecessors {
                writeln!(text, "      <-- {}", list(names)).expect("a string takes text");
            }
        }
    }

    fn entries(&self, node: &Node) -> Vec<Entry> {
        let name = &node.name;
        let children = || -> Vec<String> {
            let mut names = Vec::new();
            for child in node.children.iter().flatten() {
                let name = &self.node(child.node).name;
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names
        };
        let parents: Vec<String> = node
            .inputs
            .iter()
            .map(|input| self.node(input.node).name.clone())
            .collect();
        match &node.operation {
            Operation::Source { topic } => vec![Entry {
                head: format!("Source: {name} (topics: [{topic}])"),
                successors: Some(children()),
                predecessors: None,
            }],
            Operation::Table { topic, .. } | Operation::GlobalTable { topic, .. } => vec![
                Entry {
                    head: format!("Source: {name}-source (topics: [{topic}])"),
                    successors: Some(vec![name.clone()]),
                    predecessors: None,
                },
                Entry {
                    head: format!("Processor: {name} (stores: [{}])", self.store_names(node)),
                    successors: Some(children()),
                    predecessors: Some(vec![format!("{name}-source")]),
                },
            ],
            Operation::Repartition { topic, .. } | Operation::Sink { topic } => vec![Entry {
                head: format!("Sink: {name} (topic: {topic})"),
                successors: None,
                predecessors: Some(parents),
            }],
            _ => vec![Entry {
                head: format!("Processor: {name} (stores: [{}])", self.store_names(node)),
                successors: Some(children()),
                predecessors: Some(parents),
            }],
        }
    }

    fn store_names(&self, node: &Node) -> String {
        let names: Vec<&str> = node
            .operation
            .touches()
            .iter()
            .map(|&store| self.store(store).name.as_str())
            .collect();
        names.join(", ")
    }
}
