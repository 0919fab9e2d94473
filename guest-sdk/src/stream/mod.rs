//! Streams: rows that go by, and the stateless steps over them.
//!
//! Steps that follow each other are fused: `filter.map_values.rekey` is one function, called once a
//! batch, and no row is written and read again in between. Where an operator with state comes, or a
//! topic, the steps so far become one node.

mod chain;
mod cogroup;
pub(crate) mod join;
mod keyed;
mod sink;
mod windows;

use std::cell::OnceCell;
use std::rc::Rc;

use crate::bindings::weir::service::topology::{Edge, Operator};
use crate::format::Data;
use crate::function::Reject;
use crate::graph::Shared;
use crate::row::{Item, Row};

pub use cogroup::{Cogroup, CogroupSessions, WindowedCogroup};
pub use join::JoinWindows;
pub use keyed::{Group, Sessions, WindowedGroup};
pub use windows::{SessionWindows, SlidingWindows, TimeWindows, Windows};

use chain::{Next, Run};

/// Rows of a key and a value type, on their way. Cheap to clone; each use of a stream is a reader
/// of its own.
pub struct Stream<K, V> {
    pub(crate) graph: Shared,
    /// What the fused steps read.
    input: Edge,
    /// Their names; none: the stream is the edge itself.
    steps: Vec<&'static str>,
    rekeys: bool,
    run: Rc<Run<K, V>>,
    /// The node that the steps became, once somebody needed one.
    edge: Rc<OnceCell<Edge>>,
}

impl<K, V> Clone for Stream<K, V> {
    fn clone(&self) -> Stream<K, V> {
        Stream {
            graph: Rc::clone(&self.graph),
            input: self.input,
            steps: self.steps.clone(),
            rekeys: self.rekeys,
            run: Rc::clone(&self.run),
            edge: Rc::clone(&self.edge),
        }
    }
}

impl<K: Data, V: Data> Stream<K, V> {
    /// The rows that an edge carries.
    pub(crate) fn of(graph: &Shared, input: Edge) -> Stream<K, V> {
        Stream {
            graph: Rc::clone(graph),
            input,
            steps: Vec::new(),
            rekeys: false,
            run: Rc::new(|raw, next| next(Item::of(raw))),
            edge: Rc::default(),
        }
    }

    /// Keeps the rows whose value passes.
    pub fn filter(&self, keep: impl Fn(&V) -> bool + 'static) -> Stream<K, V> {
        self.then("filter", false, move |mut item, next| {
            if keep(item.value()?) {
                next(item)
            } else {
                Ok(())
            }
        })
    }

    /// Keeps the rows that pass.
    pub fn filter_rows(&self, keep: impl Fn(Row<'_, K, V>) -> bool + 'static) -> Stream<K, V> {
        self.then("filter", false, move |mut item, next| {
            if keep(item.row()?) {
                next(item)
            } else {
                Ok(())
            }
        })
    }

    /// Another key and another value for each row. What depends on keys below is repartitioned.
    pub fn map<K2: Data, V2: Data>(
        &self,
        map: impl Fn(Row<'_, K, V>) -> (K2, V2) + 'static,
    ) -> Stream<K2, V2> {
        self.then("map", true, move |mut item, next| {
            let (key, value) = map(item.row()?);
            next(item.with(key, value))
        })
    }

    /// Another value for each row.
    pub fn map_values<V2: Data>(&self, map: impl Fn(&V) -> V2 + 'static) -> Stream<K, V2> {
        self.then("map-values", false, move |mut item, next| {
            let value = map(item.value()?);
            next(item.with_value(value))
        })
    }

    /// Another value for each row, seen with its key, time and headers.
    pub fn map_rows<V2: Data>(&self, map: impl Fn(Row<'_, K, V>) -> V2 + 'static) -> Stream<K, V2> {
        self.then("map-values", false, move |mut item, next| {
            let value = map(item.row()?);
            next(item.with_value(value))
        })
    }

    /// Another value for each row; a row with an error is refused and goes the way of the service's
    /// failure policy.
    pub fn try_map_values<V2: Data, E: std::fmt::Display>(
        &self,
        map: impl Fn(&V) -> Result<V2, E> + 'static,
    ) -> Stream<K, V2> {
        self.then("map-values", false, move |mut item, next| {
            let value = map(item.value()?).map_err(|error| Reject(error.to_string()))?;
            next(item.with_value(value))
        })
    }

    /// Any number of rows for each row. What depends on keys below is repartitioned.
    pub fn flat_map<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)>>(
        &self,
        map: impl Fn(Row<'_, K, V>) -> I + 'static,
    ) -> Stream<K2, V2> {
        self.then("flat-map", true, move |mut item, next| {
            let rows = map(item.row()?);
            rows.into_iter()
                .try_for_each(|(key, value)| next(item.with(key, value)))
        })
    }

    /// Any number of values for each row, under its key.
    pub fn flat_map_values<V2: Data, I: IntoIterator<Item = V2>>(
        &self,
        map: impl Fn(&V) -> I + 'static,
    ) -> Stream<K, V2> {
        self.then("flat-map-values", false, move |mut item, next| {
            let values = map(item.value()?);
            let mut kept = Vec::new();
            let key = item.key_bytes(&mut kept)?;
            values
                .into_iter()
                .try_for_each(|value| next(item.beside(key, value)))
        })
    }

    /// Another key for each row. What depends on keys below is repartitioned, under a name that
    /// comes from there.
    pub fn select_key<K2: Data>(
        &self,
        select: impl Fn(Row<'_, K, V>) -> K2 + 'static,
    ) -> Stream<K2, V> {
        self.then("select-key", true, move |mut item, next| {
            let key = select(item.row()?);
            next(item.with_key(key))
        })
    }

    /// Another key for each row, and the rows repartitioned by it: through the topic
    /// `<service>-<name>-repartition`.
    pub fn rekey<K2: Data>(&self, name: &str, key: impl Fn(&V) -> K2 + 'static) -> Stream<K2, V> {
        self.then("rekey", true, move |mut item, next| {
            let key = key(item.value()?);
            next(item.with_key(key))
        })
        .repartition(name)
    }

    /// Looks at each row.
    pub fn peek(&self, look: impl Fn(Row<'_, K, V>) + 'static) -> Stream<K, V> {
        self.then("peek", false, move |mut item, next| {
            look(item.row()?);
            next(item)
        })
    }

    /// `N` streams, each row in the one whose number `choose` says; in none where it says `None`
    /// (or a number that is none).
    pub fn branch<const N: usize>(
        &self,
        choose: impl Fn(&V) -> Option<usize> + 'static,
    ) -> [Stream<K, V>; N] {
        let edge = self.materialise_ports("branch", N, move |item| {
            Ok(choose(item.value()?).filter(|port| *port < N))
        });
        std::array::from_fn(|port| Stream::of(&self.graph, chain::port_of(edge, port)))
    }

    /// The rows of both, in their order.
    pub fn merge(&self, other: &Stream<K, V>) -> Stream<K, V> {
        let inputs = vec![self.edge(), other.edge()];
        let mut graph = self.graph.borrow_mut();
        let name = format!("{}-merge", graph.name(inputs[0]));
        let edge = graph.node(&name, inputs, Operator::Merge);
        drop(graph);
        Stream::of(&self.graph, edge)
    }

    /// The edge that carries these rows: the node of the fused steps, made when it is first needed.
    pub(crate) fn edge(&self) -> Edge {
        if self.steps.is_empty() {
            return self.input;
        }
        *self.edge.get_or_init(|| self.materialise())
    }

    fn then<K2: Data, V2: Data>(
        &self,
        name: &'static str,
        rekeys: bool,
        step: impl Fn(Item<'_, K, V>, &mut Next<'_, K2, V2>) -> Result<(), Reject> + 'static,
    ) -> Stream<K2, V2> {
        let run = Rc::clone(&self.run);
        let mut steps = self.steps.clone();
        steps.push(name);
        Stream {
            graph: Rc::clone(&self.graph),
            input: self.input,
            steps,
            rekeys: self.rekeys || rekeys,
            run: Rc::new(move |raw, next| run(raw, &mut |item| step(item, next))),
            edge: Rc::default(),
        }
    }
}

impl<K: Data, V: Data> Stream<K, Option<V>> {
    /// Without tombstones.
    pub fn some(&self) -> Stream<K, V> {
        self.then("some", false, move |item, next| {
            if item.has_value(Option::is_some) {
                next(item.retyped(|value| value.expect("it has one")))
            } else {
                Ok(())
            }
        })
    }
}
