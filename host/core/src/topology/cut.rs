//! The cut into sub-topologies: nodes that are connected by an edge, a store or a topic run
//! together.
//!
//! Repartition topics are where it is cut; global tables stand apart. A store that only routes use
//! goes where the routes' other stores are.

use std::collections::BTreeMap;

use crate::store::StoreId;

use super::errors::Errors;
use super::order::order;
use super::{NodeId, Operation, Source, Subtopology, Topology};

/// Fills in sub-topologies, and where each node, store and route lives.
pub(super) fn cut(topology: &mut Topology, errors: &mut Errors) {
    let mut sets = Sets::over(topology);
    sets.join_route_stores(topology, errors);
    let numbers = sets.numbers(topology);
    let count = numbers.values().max().map_or(0, |highest| highest + 1);
    let mut subtopologies: Vec<Subtopology> = (0..count)
        .map(|number| Subtopology {
            number,
            ..Subtopology::default()
        })
        .collect();

    for store in 0..topology.stores.len() {
        let Some(&number) = numbers.get(&sets.root(sets.store(store))) else {
            if !topology.stores[store].global {
                let name = &topology.stores[store].name;
                errors.push(format!(
                    "store `{name}` is used by no node; let a processor or a \
                route with a table use it"
                ));
            }
            continue;
        };
        topology.stores[store].subtopology = Some(number);
        subtopologies[number as usize]
            .stores
            .push(StoreId(index(store)));
    }
    for node in 0..topology.nodes.len() {
        let Some(&number) = numbers.get(&sets.root(node)) else {
            continue;
        };
        topology.nodes[node].subtopology = Some(number);
        subtopologies[number as usize]
            .nodes
            .push(NodeId(index(node)));
    }
    for subtopology in &mut subtopologies {
        subtopology.inputs = inputs(topology, &subtopology.nodes);
        subtopology.copartitioned = copartitioned(topology, subtopology);
    }
    mark_read_by_others(topology);
    for subtopology in &mut subtopologies {
        order(topology, subtopology);
    }
    topology.subtopologies = subtopologies;
    place_routes(topology);
}

fn index(position: usize) -> u32 {
    u32::try_from(position).expect("the numbers of nodes and stores are checked")
}

/// Union-find over nodes, then stores.
struct Sets {
    parents: Vec<usize>,
    nodes: usize,
}

impl Sets {
    fn over(topology: &Topology) -> Sets {
        let nodes = topology.nodes.len();
        let mut sets = Sets {
            parents: (0..nodes + topology.stores.len()).collect(),
            nodes,
        };
        let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
        for (position, node) in topology.nodes.iter().enumerate() {
            for input in &node.inputs {
                sets.join(position, input.node.0 as usize);
            }
            for store in node.operation.touches() {
                if !topology.store(store).global {
                    sets.join(position, sets.store(store.0 as usize));
                }
            }
            if let Operation::Source { topic } | Operation::Table { topic, .. } = &node.operation {
                let first = *readers.entry(topic).or_insert(position);
                sets.join(position, first);
            }
        }
        sets
    }

    fn store(&self, store: usize) -> usize {
        self.nodes + store
    }

    fn root(&self, mut element: usize) -> usize {
        while self.parents[element] != element {
            element = self.parents[element];
        }
        element
    }

    /// The lowest element is the root, so that a set with a node has a node as its root.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parents[one.max(other)] = one.min(other);
    }

    fn join_route_stores(&mut self, topology: &Topology, errors: &mut Errors) {
        for route in &topology.routes {
            let local: Vec<usize> = route
                .stores
                .iter()
                .filter(|store| !topology.store(**store).global)
                .map(|store| self.store(store.0 as usize))
                .collect();
            let home = local
                .iter()
                .copied()
                .find(|&store| self.root(store) < self.nodes);
            for &store in &local {
                let (Some(home), root) = (home, self.root(store)) else {
                    continue;
                };
                if root < self.nodes && root != self.root(home) {
                    let names =
                        [home, store].map(|s| topology.stores[s - self.nodes].name.as_str());
                    let mend = "read one of them, or connect their nodes";
                    errors.push(format!(
                        "route `{} {}` uses stores `{}` and `{}` of different sub-topologies, \
                        whose partitions may live on different hosts; {mend}",
                        route.method, route.path, names[0], names[1]
                    ));
                } else {
                    self.join(store, home);
                }
            }
        }
    }

    /// The number of each set with nodes, in the order of their first node, by its root.
    fn numbers(&self, topology: &Topology) -> BTreeMap<usize, u32> {
        let mut numbers = BTreeMap::new();
        for (position, node) in topology.nodes.iter().enumerate() {
            if !matches!(node.operation, Operation::GlobalTable { .. }) {
                let next = index(numbers.len());
                numbers.entry(self.root(position)).or_insert(next);
            }
        }
        numbers
    }
}

fn inputs(topology: &Topology, nodes: &[NodeId]) -> Vec<Source> {
    let mut inputs: Vec<Source> = Vec::new();
    let internal = topology.repartition_topics();
    for &id in nodes {
        let (Operation::Source { topic } | Operation::Table { topic, .. }) =
            &topology.node(id).operation
        else {
            continue;
        };
        match inputs.iter_mut().find(|source| source.topic == *topic) {
            Some(source) => source.readers.push(id),
            None => inputs.push(Source {
                topic: topic.clone(),
                readers: vec![id],
                repartition: internal.contains(&topic.as_str()),
            }),
        }
    }
    inputs
}

/// A key must be in one partition of all topics whose rows meet in a store: joins, and processors
/// behind a merge or with a store in common.
fn copartitioned(topology: &Topology, subtopology: &Subtopology) -> Vec<(StoreId, Vec<String>)> {
    let mut sets: Vec<(StoreId, Vec<String>)> = Vec::new();
    for store in &subtopology.stores {
        let mut topics = Vec::new();
        for &id in &subtopology.nodes {
            if topology.node(id).operation.touches().contains(store) {
                topology.topics_above(id, &mut topics);
            }
        }
        if topics.len() > 1 && sets.iter().all(|(_, others)| *others != topics) {
            sets.push((*store, topics));
        }
    }
    sets
}

impl Topology {
    /// Adds the topics that rows of a node come from, up to the last repartition.
    pub(super) fn topics_above(&self, id: NodeId, topics: &mut Vec<String>) {
        let node = self.node(id);
        if let Operation::Source { topic } | Operation::Table { topic, .. } = &node.operation
            && !topics.contains(topic)
        {
            topics.push(topic.clone());
        }
        for input in &node.inputs {
            self.topics_above(input.node, topics);
        }
    }
}

fn mark_read_by_others(topology: &mut Topology) {
    for store in 0..topology.stores.len() {
        let id = StoreId(index(store));
        let users = topology
            .nodes
            .iter()
            .filter(|node| node.operation.touches().contains(&id))
            .count();
        topology.stores[store].read_by_others = users > 1 && !topology.stores[store].global;
    }
}

fn place_routes(topology: &mut Topology) {
    for route in &mut topology.routes {
        route.subtopology = route
            .stores
            .iter()
            .find_map(|store| topology.stores[store.0 as usize].subtopology);
    }
}
