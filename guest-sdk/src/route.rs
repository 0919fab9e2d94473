//! Routes: commands, which a worker takes between rows, and queries over committed state.

use std::marker::PhantomData;
use std::rc::Rc;

use crate::bindings::weir::service::http::Outcome;
use crate::bindings::weir::service::topology::{Route as RouteNode, RouteKey, RouteKind};
use crate::context::{Appends, Command, Query};
use crate::format::Data;
use crate::function::{Function, row_number};
use crate::graph::Shared;
use crate::http::{Request, Response};
use crate::state::{Declared, Stores, key_bytes};

/// A topic that commands append to: a handle, to be declared and captured.
pub struct Topic<K, V> {
    pub(crate) id: u32,
    kinds: PhantomData<fn(K, V)>,
}

impl<K, V> Topic<K, V> {
    pub(crate) fn new(id: u32) -> Topic<K, V> {
        let kinds = PhantomData;
        Topic { id, kinds }
    }
}

impl<K, V> Clone for Topic<K, V> {
    fn clone(&self) -> Topic<K, V> {
        *self
    }
}

impl<K, V> Copy for Topic<K, V> {}

/// A route that is being declared: its key, its stores, then its closure.
#[must_use = "a route is there once `handle` or `answer` was called"]
pub struct Route<S = ()> {
    graph: Shared,
    method: &'static str,
    path: String,
    key: Option<RouteKey>,
    stores: S,
    topics: Vec<u32>,
}

impl Route {
    pub(crate) fn new(graph: &Shared, method: &'static str, path: &str) -> Route {
        Route {
            graph: Rc::clone(graph),
            method,
            path: path.to_owned(),
            key: None,
            stores: (),
            topics: Vec::new(),
        }
    }

    /// The stores that the route reads (a command: and writes). They say where it runs: at the
    /// owner of the key.
    pub fn stores<S: Stores>(self, stores: S) -> Route<S> {
        Route {
            graph: self.graph,
            method: self.method,
            path: self.path,
            key: self.key,
            stores,
            topics: self.topics,
        }
    }
}

impl<S: Stores> Route<S> {
    /// Requests are about the key that is the part `{name}` of the path, as utf-8.
    pub fn key_param(self, name: &str) -> Route<S> {
        let key = Some(RouteKey::Parameter(name.to_owned()));
        Route { key, ..self }
    }

    /// Requests are about the key that `key` makes, or are refused at once.
    pub fn key<K: Data>(
        self,
        key: impl Fn(Request<'_>) -> Result<K, Response> + 'static,
    ) -> Route<S> {
        let locate = Function::Locate(Box::new(move |request| {
            key(Request { wire: request })
                .map(|key| key_bytes(&key))
                .map_err(Response::into_wire)
        }));
        let key = Some(RouteKey::Function(self.graph.borrow_mut().function(locate)));
        Route { key, ..self }
    }

    /// A topic that the command appends to; once for each.
    pub fn to<K: Data, V: Data>(mut self, topic: Topic<K, V>) -> Route<S> {
        let mut graph = self.graph.borrow_mut();
        let name = graph.topic_names[topic.id as usize].clone();
        graph.codecs::<K, V>(&name);
        drop(graph);
        self.topics.push(topic.id);
        self
    }

    /// A command: decided by the owner of its key, in order, in a transaction with what it puts and
    /// appends. The response leaves when that has committed.
    pub fn handle(self, handle: impl Fn(&mut Command<'_>, Request<'_>, S) -> Response + 'static) {
        let (stores, ids) = (self.stores, self.stores.ids());
        let topics = self.appends();
        let function = Function::Handle(Box::new(move |requests, access| {
            let outcome = |(row, request)| {
                let mut command = Command {
                    stores: Declared {
                        access: &mut *access,
                        ids: &ids,
                        row: row_number(row),
                        wrote: false,
                    },
                    rows: Vec::new(),
                    topics: &topics,
                };
                let response = handle(&mut command, Request { wire: request }, stores);
                Outcome {
                    response: response.into_wire(),
                    rows: command.rows,
                }
            };
            requests.iter().enumerate().map(outcome).collect()
        }));
        self.add(RouteKind::Command, function);
    }

    /// A query: answered from committed state. `None` is *not yet*: it is asked again when a key
    /// that it read has changed, until there is an answer or the request's time is up.
    pub fn answer(
        self,
        answer: impl Fn(&mut Query<'_>, Request<'_>, S) -> Option<Response> + 'static,
    ) {
        let (stores, ids) = (self.stores, self.stores.ids());
        let function = Function::Answer(Box::new(move |request, access| {
            let mut query = Query {
                stores: Declared {
                    access,
                    ids: &ids,
                    row: 0,
                    wrote: false,
                },
            };
            let response = answer(&mut query, Request { wire: request }, stores);
            response.map(Response::into_wire)
        }));
        self.add(RouteKind::Query, function);
    }

    fn appends(&self) -> Appends {
        let graph = self.graph.borrow();
        let name = |id: &u32| graph.topic_names[*id as usize].clone();
        Appends {
            topics: self.topics.iter().map(|id| (*id, name(id))).collect(),
            serdes: graph.serdes.clone(),
        }
    }

    fn add(self, kind: RouteKind, function: Function) {
        let mut graph = self.graph.borrow_mut();
        let (method, path) = (self.method, self.path);
        let key = self.key.unwrap_or_else(|| {
            graph.mistakes.push(format!(
                "route {method} {path}: whom is it about? call `key_param` or `key`"
            ));
            RouteKey::Parameter(String::new())
        });
        let names = |ids: &[u32], names: &[String]| {
            let name = |id: &u32| names[*id as usize].clone();
            ids.iter().map(name).collect()
        };
        let route = RouteNode {
            method: method.to_owned(),
            path,
            kind,
            function: graph.function(function),
            key,
            stores: names(&self.stores.ids(), &graph.store_names),
            topics: names(&self.topics, &graph.topic_names),
        };
        graph.route(route);
    }
}
