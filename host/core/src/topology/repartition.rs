//! Repartitions: rows whose key may have changed go through an internal topic before a keyed
//! operator sees them.
//!
//! Each repartition, written or inserted, becomes two nodes: a sink to the topic and a source of
//! it. Names are Kafka Streams': the topic `<service>-<name>-repartition`, and the name of an
//! inserted one that of the operator's store, or of the join.

use crate::store::StoreId;

use super::compile::{buffer_store, subscription_store, unnamed_store};
use super::description::{self, Description, Edge, JoinKind, Operator};
use super::tables::Tables;
use super::{Child, Input, Node, NodeId, Operation, StoreKind, StoreSpec, Until, View};

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

struct Expansion<'a> {
    service: &'a str,
    description: &'a Description,
    stores: &'a [StoreSpec],
    nodes: Vec<Node>,
    /// Of each node of `nodes`: whether rows that leave it may be in the wrong partition for their
    /// key.
    rekeyed: Vec<bool>,
    /// Of each node of the description: the node whose outputs stand for its.
    made: Vec<NodeId>,
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

    fn input(&self, edge: Edge) -> Input {
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

    fn through_topic(&mut self, name: &str, partitions: Option<u32>, input: Input) -> NodeId {
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

    fn push(
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

    fn store(&self, name: &str) -> StoreId {
        let position = self.stores.iter().position(|store| store.name == name);
        StoreId(
            u32::try_from(position.expect("the store was checked"))
                .expect("the number of stores is checked"),
        )
    }

    /// The store of a table, if it has one.
    fn table_store(&self, node: &description::Node, named: Option<&str>) -> Option<StoreId> {
        let unnamed = || unnamed_store(&node.name);
        let name = named.map_or_else(unnamed, str::to_owned);
        self.stores
            .iter()
            .any(|store| store.name == name)
            .then(|| self.store(&name))
    }

    /// How a table is read by key.
    fn view(&self, table: NodeId) -> View {
        let node = &self.nodes[table.0 as usize];
        if let Some(&store) = node.operation.writes().first() {
            return match self.stores[store.0 as usize].kind {
                StoreKind::KeyValue => View::Keys(store),
                StoreKind::Window(retention) => View::Windows { store, retention },
                StoreKind::Versioned { history_ms } => View::Versions { store, history_ms },
                StoreKind::Session { retention_ms } => View::Sessions {
                    store,
                    retention_ms,
                },
                StoreKind::Buffer => View::Suppressed {
                    buffer: store,
                    of: Box::new(self.view(node.inputs[0].node)),
                },
                StoreKind::Join { .. } => unreachable!("a join of streams is no table"),
            };
        }
        match &node.operation {
            Operation::TableMap { function, .. } => View::Mapped {
                function: *function,
                of: Box::new(self.view(node.inputs[0].node)),
            },
            Operation::TableTableJoin {
                kind,
                function,
                left,
                right,
                ..
            } => View::Joined {
                kind: *kind,
                function: *function,
                left: Box::new(left.clone()),
                right: Box::new(right.clone()),
            },
            _ => unreachable!("a table that is read has a store, or is made of others"),
        }
    }

    /// The hops of a foreign-key join: the left row subscribes at its foreign key's partition, the
    /// answer comes back to its own.
    fn foreign_key_join(&mut self, node: &description::Node) -> NodeId {
        let Operator::ForeignKeyJoin {
            kind,
            function,
            foreign_key,
            store,
        } = &node.operator
        else {
            unreachable!("only foreign-key joins come here");
        };
        let name = &node.name;
        let [left, right] = [0, 1].map(|side| self.input(node.inputs[side]));
        let results = self.table_store(node, store.as_deref());
        let subscribe = Operation::Subscribe {
            kind: *kind,
            foreign_key: *foreign_key,
            results: results.filter(|_| *kind == JoinKind::Inner),
        };
        let subscribe = self.push(format!("{name}-subscribe"), vec![left], subscribe, true);
        let subscribe = Input {
            node: subscribe,
            port: 0,
        };
        let asked = self.through_topic(&format!("{name}-subscription"), None, subscribe);
        let subscriptions = Operation::Subscriptions {
            store: self.store(&subscription_store(name)),
            right: self.view(right.node),
        };
        let asked = Input {
            node: asked,
            port: 0,
        };
        let subscriptions = self.push(
            format!("{name}-subscriptions"),
            vec![asked, right],
            subscriptions,
            true,
        );
        let subscriptions = Input {
            node: subscriptions,
            port: 0,
        };
        let answered = self.through_topic(&format!("{name}-answer"), None, subscriptions);
        let join = Operation::ForeignKeyJoin {
            kind: *kind,
            function: *function,
            table: left.node,
            left: self.view(left.node),
            store: results,
        };
        let answered = Input {
            node: answered,
            port: 0,
        };
        self.push(name.clone(), vec![answered], join, false)
    }

    fn table_operation(&self, node: &description::Node) -> Operation {
        let named = |store: &Option<String>| store.as_deref().map(|name| self.store(name));
        match &node.operator {
            Operator::TableFilter { function, store } => Operation::TableMap {
                function: *function,
                filters: true,
                store: named(store),
            },
            Operator::TableMapValues { function, store } => Operation::TableMap {
                function: *function,
                filters: false,
                store: named(store),
            },
            Operator::TableGroupBy { function } => Operation::TableGroupBy {
                function: *function,
            },
            Operator::TableAggregate { aggregator, store } => Operation::TableAggregate {
                aggregator: *aggregator,
                store: self.store(store),
            },
            Operator::TableTableJoin {
                kind,
                function,
                store,
            } => {
                let [left, right] =
                    [0, 1].map(|side| self.view(self.made[node.inputs[side].node as usize]));
                Operation::TableTableJoin {
                    kind: *kind,
                    function: *function,
                    left,
                    right,
                    store: named(store),
                }
            }
            _ => unreachable!("only operators of tables come here"),
        }
    }

    fn suppress(&self, node: &description::Node) -> Operation {
        let Operator::Suppress { store, until } = &node.operator else {
            unreachable!("only a suppress comes here");
        };
        let windows = || self.description.windows_of(node);
        Operation::Suppress {
            store: self.store(store),
            until: match *until {
                description::Until::WindowCloses => {
                    Until::WindowCloses(windows().expect("its windows were checked"))
                }
                description::Until::TimeLimit { limit, max_rows } => {
                    Until::TimeLimit { limit, max_rows }
                }
            },
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
            Operator::Suppress { .. } => self.suppress(node),
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
