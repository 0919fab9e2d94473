//! What tables must keep and tell: found out before anything runs, so that a table of which nobody
//! asks it has neither a store nor old values.
//!
//! A table *tells old values* if each row that it sends has with it what the key had before. Kafka
//! Streams asks for them when a reader is declared, and its filters answer differently where they
//! are told: so the order of declaration counts here too. A reader that must have them (a table
//! group-by, the sides of a join that may stand alone, a foreign-key join) makes a table keep what
//! it needs; a filter takes them only from a table that has them anyway.

use super::description::{Description, Edge, JoinKind, Operator};

/// By position in the description.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Whether the node tells old values.
    pub(super) tells_old: Vec<bool>,
    /// Whether others read the table by key.
    read: Vec<bool>,
}

impl Tables {
    /// Nothing is known of a description whose edges may be wrong.
    pub(super) fn unknown(description: &Description) -> Tables {
        let nodes = description.nodes.len();
        Tables {
            tells_old: vec![false; nodes],
            read: vec![false; nodes],
        }
    }

    /// Looks at a description whose edges were found good.
    pub(super) fn of(description: &Description) -> Tables {
        let mut tables = Tables::unknown(description);
        for (position, node) in description.nodes.iter().enumerate() {
            let input = |number: usize| node.inputs[number];
            match &node.operator {
                Operator::TableFilter { .. } => {
                    tables.tells_old[position] = tables.ask(description, input(0), false);
                }
                Operator::TableGroupBy { .. } | Operator::Suppress { .. } => {
                    tables.ask(description, input(0), true);
                }
                Operator::TableTableJoin { kind, .. } => {
                    for side in 0..2 {
                        if *kind == JoinKind::Outer || (*kind == JoinKind::Left && side == 0) {
                            tables.ask(description, input(side), true);
                        }
                        tables.read(description, input(side));
                    }
                }
                Operator::ForeignKeyJoin { .. } => {
                    for side in 0..2 {
                        tables.ask(description, input(side), true);
                        tables.read(description, input(side));
                    }
                }
                Operator::StreamTableJoin { .. } => tables.read(description, input(1)),
                _ => {}
            }
        }
        tables
    }

    /// Whether a table that was given no store of its own name needs one.
    pub(super) fn needs_store(&self, position: usize) -> bool {
        self.tells_old[position] || self.read[position]
    }

    /// Asks a table to tell old values; `force`: even if it must keep them for this alone. Whether
    /// it does.
    fn ask(&mut self, description: &Description, edge: Edge, force: bool) -> bool {
        let position = edge.node as usize;
        let node = &description.nodes[position];
        let tells = match &node.operator {
            Operator::Aggregate { .. }
            | Operator::TableAggregate { .. }
            | Operator::Suppress { .. } => true,
            Operator::Table { store, .. }
            | Operator::ToTable { store }
            | Operator::ForeignKeyJoin { store, .. } => force || store.is_some(),
            Operator::TableFilter { store, .. } | Operator::TableMapValues { store, .. } => {
                store.is_some() || self.ask(description, node.inputs[0], force)
            }
            Operator::TableTableJoin { .. } => {
                let left = self.ask(description, node.inputs[0], force);
                let right = self.ask(description, node.inputs[1], force);
                left && right
            }
            _ => false,
        };
        self.tells_old[position] |= tells;
        self.tells_old[position]
    }

    /// Notes that a table is read by key; one without a store is made from those above it.
    fn read(&mut self, description: &Description, edge: Edge) {
        let position = edge.node as usize;
        self.read[position] = true;
        let node = &description.nodes[position];
        if let Operator::TableFilter { store: None, .. }
        | Operator::TableMapValues { store: None, .. }
        | Operator::Suppress { .. }
        | Operator::TableTableJoin { store: None, .. } = &node.operator
        {
            for &input in &node.inputs {
                self.read(description, input);
            }
        }
    }
}
