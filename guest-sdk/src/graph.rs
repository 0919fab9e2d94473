//! The graph that the author's calls build: nodes, stores, routes and functions, in the order of
//! the calls.
//!
//! It checks only what the contract cannot say (settings, names that would clash silently). Whether
//! the topology makes sense is the host's to judge, which sees all of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::bindings::weir::service::topology::{
    Description, Edge, Node, Operator, Route, Store as StoreNode,
};
use crate::format::Data;
use crate::function::Function;
use crate::serdes::{Codecs, Topics};

/// A graph that is being built, and everyone who builds it.
pub(crate) type Shared = Rc<RefCell<Graph>>;

pub(crate) struct Graph {
    pub(crate) description: Description,
    pub(crate) functions: Vec<Function>,
    /// The names of all stores that a handle was given out for; a handle is a position.
    pub(crate) store_names: Vec<String>,
    /// Likewise topics of routes.
    pub(crate) topic_names: Vec<String>,
    pub(crate) config: Vec<(String, String)>,
    /// The settings that were asked for.
    pub(crate) settings: Vec<String>,
    pub(crate) mistakes: Vec<String>,
    pub(crate) serdes: Topics,
    sources: BTreeMap<String, Edge>,
}

impl Graph {
    /// An empty one, under a configuration.
    pub(crate) fn new(config: Vec<(String, String)>) -> Graph {
        Graph {
            description: Description {
                nodes: Vec::new(),
                stores: Vec::new(),
                routes: Vec::new(),
            },
            functions: Vec::new(),
            store_names: Vec::new(),
            topic_names: Vec::new(),
            config,
            settings: Vec::new(),
            mistakes: Vec::new(),
            serdes: Topics::default(),
            sources: BTreeMap::new(),
        }
    }

    /// Adds a node and says which edge it writes. A name that is taken gets a number.
    pub(crate) fn node(&mut self, name: &str, inputs: Vec<Edge>, operator: Operator) -> Edge {
        let taken = |name: &str| self.description.nodes.iter().any(|node| node.name == name);
        let mut unique = name.to_owned();
        let mut number = 2;
        while taken(&unique) {
            unique = format!("{name}-{number}");
            number += 1;
        }
        let node = position(self.description.nodes.len());
        self.description.nodes.push(Node {
            name: unique,
            inputs,
            operator,
        });
        Edge { node, port: 0 }
    }

    /// The node of a topic as a stream: one however often it is asked for.
    pub(crate) fn source(&mut self, topic: &str) -> Edge {
        if let Some(edge) = self.sources.get(topic) {
            return *edge;
        }
        let edge = self.node(topic, Vec::new(), Operator::Source(topic.to_owned()));
        self.sources.insert(topic.to_owned(), edge);
        edge
    }

    /// The serdes of a topic that is read or written with these types.
    pub(crate) fn codecs<K: Data, V: Data>(&mut self, topic: &str) -> Codecs<K, V> {
        self.serdes.of(topic).unwrap_or_else(|mistake| {
            self.mistakes.push(mistake);
            Codecs {
                key: None,
                value: None,
            }
        })
    }

    /// Adds a function.
    pub(crate) fn function(&mut self, function: Function) -> u32 {
        self.functions.push(function);
        position(self.functions.len() - 1)
    }

    /// The handle of a store of this name.
    pub(crate) fn store_handle(&mut self, name: &str) -> u32 {
        handle(&mut self.store_names, name)
    }

    /// The handle of a topic of this name.
    pub(crate) fn topic_handle(&mut self, name: &str) -> u32 {
        handle(&mut self.topic_names, name)
    }

    /// Declares a store that processors and routes share.
    pub(crate) fn store(&mut self, name: &str, logged: bool) -> u32 {
        self.description.stores.push(StoreNode {
            name: name.to_owned(),
            logged,
        });
        self.store_handle(name)
    }

    /// Adds a route.
    pub(crate) fn route(&mut self, route: Route) {
        self.description.routes.push(route);
    }

    /// Gives a table's operator a store of this name. False: it has one already.
    pub(crate) fn name_store(&mut self, table: Edge, store: &str) -> bool {
        let named = match &mut self.description.nodes[table.node as usize].operator {
            Operator::TableFilter(map) | Operator::TableMapValues(map) => &mut map.store,
            Operator::TableTableJoin(join) => &mut join.store,
            Operator::ForeignKeyJoin(join) => &mut join.store,
            _ => return false,
        };
        named.replace(store.to_owned()).is_none()
    }

    /// The name of the node that writes an edge, with the port where it has several.
    pub(crate) fn name(&self, edge: Edge) -> String {
        let node = &self.description.nodes[edge.node as usize];
        match &node.operator {
            Operator::Transform(transform) if transform.ports > 1 => {
                format!("{}.{}", node.name, edge.port)
            }
            _ => node.name.clone(),
        }
    }
}

fn handle(names: &mut Vec<String>, name: &str) -> u32 {
    let found = names.iter().position(|other| other == name);
    position(found.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    }))
}

fn position(number: usize) -> u32 {
    u32::try_from(number).expect("a topology is small")
}
