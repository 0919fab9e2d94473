//! Repartitions: rows whose key may have changed go through an internal topic before a keyed
//! operator sees them.
//!
//! Each repartition, written or inserted, becomes two nodes: a sink to the topic and a source of
//! it. Names are Kafka Streams': the topic `<service>-<name>-repartition`, and the name of an
//! inserted one that of the operator's store, or of the join.

use crate::store::StoreId;

use super::description::{self, Description, Edge, JoinKind, Operator};
use super::store_names::buffer_store;
use super::tables::Tables;
use super::{Child, Input, Node, NodeId, Operation, StoreSpec, Until};

/// The nodes of a description that was found good, repartitions inserted, edges in both directions.
pub(super) fn expand(
    service: &str,
    description: &Description,
    stores: &[StoreSpec],
    tables: &Tables,
) -> Vec<Node> {
    let mut expansion = Expansion {
        service,
        description,
        stores,
        nodes: Vec::new(),
        rekeyed: Vec::new(),
        made: Vec::new(),
    };
    for (node, &tells_old) in description.nodes.iter().zip(&tables.tells_old) {
        expansion.add(node);
        let made = expansion.made[expansion.made.len() - 1];
        expansion.nodes[made.0 as usize].tells_old = tells_old;
    }
    let mut nodes = expansion.nodes;
    connect(&mut nodes);
    keep_null_keys(&mut nodes);
    nodes
}

pub(super) struct Expansion<'a> {
    service: &'a str,
    description: &'a Description,
    pub(super) stores: &'a [StoreSpec],
    pub(super) nodes: Vec<Node>,
    /// Of each node of `nodes`: whether rows that leave it may be in the wrong partition for their
    /// key.
    rekeyed: Vec<bool>,
    /// Of each node of the description: the node whose outputs stand for its.
    pub(super) made: Vec<NodeId>,
}

impl Expansion<'_> {
    fn add(&mut self, node: &description::Node) {
        if let Operator::Repartition { name, partitions } = &node.operator {
            let input = self.input(node.inputs[0]);
            let source = self.through_topic(name, *partitions, input);
            self.made.push(source);
            return;
        }
        if let Operator::ForeignKeyJoin { .. } = &node.operator {
            let join = self.foreign_key_join(node);
            self.made.push(join);
            return;
        }
        let inputs = self.inputs(node);
        let rekeyed = match &node.operator {
            Operator::Transform { rekeys, .. } => *rekeys || self.any_rekeyed(&inputs),
            Operator::Merge | Operator::GlobalTableJoin { .. } => self.any_rekeyed(&inputs),
            Operator::Process { .. } | Operator::Update { .. } => true,
            _ => false,
        };
        let operation = self.operation(node);
        let id = self.push(node.name.clone(), inputs, operation, rekeyed);
        self.made.push(id);
    }

    /// What the node is sent; the table of a join is not sent, it is read.
    fn inputs(&mut self, node: &description::Node) -> Vec<Input> {
        let edges: Vec<Input> = node.inputs.iter().map(|&edge| self.input(edge)).collect();
        match &node.operator {
            Operator::Aggregate { store, .. } if edges.len() > 1 => (1..)
                .zip(edges)
                .map(|(number, edge)| self.by_key(&format!("{store}-{number}"), edge))
                .collect(),
            Operator::Aggregate { store, .. } | Operator::Update { store, .. } => {
                vec![self.by_key(store, edges[0])]
            }
            Operator::ToTable { store } => {
                vec![self.by_key(store.as_deref().unwrap_or(&node.name), edges[0])]
            }
            Operator::TableAggregate { store, .. } => {
                let node = self.through_topic(store, None, edges[0]);
                vec![Input { node, port: 0 }]
            }
            Operator::StreamTableJoin { .. } => vec![self.by_key(&node.name, edges[0])],
            Operator::StreamStreamJoin(_) => {
                let left = self.by_key(&format!("{}-left", node.name), edges[0]);
                let right = self.by_key(&format!("{}-right", node.name), edges[1]);
                vec![left, right]
            }
            Operator::GlobalTableJoin { .. } => vec![edges[0]],
            _ => edges,
        }
    }

    pub(super) fn input(&self, edge: Edge) -> Input {
        Input {
            node: self.made[edge.node as usize],
            port: edge.port,
        }
    }

    fn any_rekeyed(&self, inputs: &[Input]) -> bool {
        inputs
            .iter()
            .any(|input| self.rekeyed[input.node.0 as usize])
    }

    fn by_key(&mut self, name: &str, input: Input) -> Input {
        if self.any_rekeyed(&[input]) {
            Input {
                node: self.through_topic(name, None, input),
                port: 0,
            }
        } else {
            input
        }
    }

    pub(super) fn through_topic(
        &mut self,
        name: &str,
        partitions: Option<u32>,
        input: Input,
    ) -> NodeId {
        let topic = format!("{}-{name}-repartition", self.service);
        let above = &self.nodes[input.node.0 as usize].operation;
        let sink = Operation::Repartition {
            topic: topic.clone(),
            partitions,
            // A left row may be about no right row, and is answered all the same.
            keep_null_keys: matches!(above, Operation::Subscribe { .. }),
            answers: matches!(above, Operation::Subscriptions { .. }),
        };
        self.push(format!("{name}-repartition-sink"), vec![input], sink, false);
        self.push(
            format!("{name}-repartition-source"),
            Vec::new(),
            Operation::Source { topic },
            false,
        )
    }

    pub(super) fn push(
        &mut self,
        name: String,
        inputs: Vec<Input>,
        operation: Operation,
        rekeyed: bool,
    ) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("the number of nodes is checked"));
        self.nodes.push(Node {
            name,
            inputs,
            children: Vec::new(),
            operation,
            tells_old: false,
            subtopology: None,
        });
        self.rekeyed.push(rekeyed);
        id
    }

    pub(super) fn store(&self, name: &str) -> StoreId {
        let position = self.stores.iter().position(|store| store.name == name);
        StoreId(
            u32::try_from(position.expect("the store was checked"))
                .expect("the number of stores is checked"),
        )
    }

    fn operation(&self, node: &description::Node) -> Operation {
        match node.operator.clone() {
            Operator::Source { topic } => Operation::Source { topic },
            Operator::Table {
                topic,
                store,
                history,
            } => Operation::Table {
                topic,
                store: self.table_store(node, store.as_deref()),
                history,
            },
            Operator::GlobalTable { topic, store } => Operation::GlobalTable {
                topic,
                store: self.store(&store),
            },
            Operator::ToTable { store } => Operation::ToTable {
                store: self.table_store(node, store.as_deref()),
            },
            Operator::TableFilter { .. }
            | Operator::TableMapValues { .. }
            | Operator::TableGroupBy { .. }
            | Operator::TableAggregate { .. }
            | Operator::TableTableJoin { .. } => self.table_operation(node),
            Operator::Transform {
                function,
                ports,
                steps,
                rekeys,
            } => Operation::Transform {
                function,
                ports,
                steps,
                rekeys,
            },
            Operator::Merge => Operation::Merge,
            Operator::Repartition { .. } | Operator::ForeignKeyJoin { .. } => {
                unreachable!("these become several nodes")
            }
            Operator::Aggregate {
                aggregator,
                store,
                window,
                emit,
                skip_null_values,
            } => Operation::Aggregate {
                aggregator,
                store: self.store(&store),
                window,
                emit,
                skip_null_values,
            },
            Operator::Suppress { store, until } => Operation::Suppress {
                store: self.store(&store),
                until: match until {
                    description::Until::WindowCloses => Until::WindowCloses(
                        self.description
                            .windows_of(node)
                            .expect("its windows were checked"),
                    ),
                    description::Until::TimeLimit { limit, max_rows } => {
                        Until::TimeLimit { limit, max_rows }
                    }
                },
            },
            Operator::StreamTableJoin { .. }
            | Operator::GlobalTableJoin { .. }
            | Operator::StreamStreamJoin(_) => self.stream_join(node),
            Operator::Update { function, store } => Operation::Update {
                function,
                store: self.store(&store),
            },
            Operator::Process {
                function,
                stores,
                schedules,
            } => Operation::Process {
                function,
                stores: stores.iter().map(|store| self.store(store)).collect(),
                schedules,
            },
            Operator::Sink { topic } => Operation::Sink { topic },
        }
    }

    fn stream_join(&self, node: &description::Node) -> Operation {
        match node.operator.clone() {
            Operator::StreamTableJoin {
                kind,
                function,
                grace,
            } => {
                let table = self.made[node.inputs[1].node as usize];
                Operation::StreamTableJoin {
                    kind,
                    function,
                    table,
                    view: self.view(table),
                    buffer: grace.map(|grace| (grace, self.store(&buffer_store(&node.name)))),
                }
            }
            Operator::GlobalTableJoin {
                kind,
                function,
                key,
            } => {
                let table = self.made[node.inputs[1].node as usize];
                let store = self.nodes[table.0 as usize].operation.writes()[0];
                Operation::GlobalTableJoin {
                    kind,
                    function,
                    key,
                    table,
                    store,
                }
            }
            Operator::StreamStreamJoin(join) => Operation::StreamStreamJoin {
                kind: join.kind,
                function: join.function,
                before: join.before,
                after: join.after,
                grace: join.grace,
                left: self.store(&join.left_store),
                right: self.store(&join.right_store),
            },
            _ => unreachable!("only joins of streams come here"),
        }
    }
}

fn connect(nodes: &mut [Node]) {
    for node in nodes.iter_mut() {
        let ports = match node.operation {
            Operation::Transform { ports, .. } => usize::from(ports),
            _ => 1,
        };
        node.children = vec![Vec::new(); ports];
    }
    for position in 0..nodes.len() {
        let reader = NodeId(u32::try_from(position).expect("the number of nodes is checked"));
        for (number, input) in nodes[position].inputs.clone().into_iter().enumerate() {
            let child = Child {
                node: reader,
                input: u8::try_from(number).expect("the number of inputs is checked"),
            };
            nodes[input.node.0 as usize].children[usize::from(input.port)].push(child);
        }
    }
}

/// A repartition keeps rows without a key where an outer side of a join is anywhere below it.
fn keep_null_keys(nodes: &mut [Node]) {
    let mut wanted = vec![false; nodes.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for position in (0..nodes.len()).rev() {
            let node = &nodes[position];
            let outer = match node.operation {
                Operation::StreamTableJoin { kind, .. }
                | Operation::StreamStreamJoin { kind, .. } => kind != JoinKind::Inner,
                _ => false,
            };
            let below = node
                .children
                .iter()
                .flatten()
                .any(|child| wanted[child.node.0 as usize]);
            let through = match &node.operation {
                Operation::Repartition { topic, .. } => {
                    let mut others = nodes.iter().zip(&wanted);
                    others.any(|(other, wanted)| *wanted && reads(&other.operation, topic))
                }
                _ => false,
            };
            if (outer || below || through) && !wanted[position] {
                wanted[position] = true;
                changed = true;
            }
        }
    }
    for (node, wanted) in nodes.iter_mut().zip(wanted) {
        if let Operation::Repartition { keep_null_keys, .. } = &mut node.operation {
            *keep_null_keys |= wanted;
        }
    }
}

fn reads(operation: &Operation, topic: &str) -> bool {
    matches!(operation, Operation::Source { topic: read } if read == topic)
}
