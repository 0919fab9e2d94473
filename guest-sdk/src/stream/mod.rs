//! Streams: rows that go by, and the stateless steps over them.
//!
//! Steps that follow each other are fused: `filter.map_values.rekey` is one function, called once a
//! batch, and no row is written and read again in between. Where an operator with state comes, or a
//! topic, the steps so far become one node.

mod chain;
mod cogroup;
pub(crate) mod join;
mod keyed;
mod serdes;
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
    ///
    /// A kept row is the one that came: bytes, time, headers, place among the others. Null:
    /// refused, unless the value is an `Option`. No state; reads the value.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").filter(|n| *n > 0).to("out");
    /// });
    /// driver.topic("in").send(ada(), -1_i64);
    /// driver.topic("in").send(ada(), 5_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [(ada(), 5)]);
    /// ```
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
    ///
    /// As [`Stream::filter`]; reads key and value, so a null key is refused, too, unless it is
    /// an `Option`.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").filter_rows(|row| row.timestamp >= 10).to("out");
    /// });
    /// driver.topic("in").at(9).send(ada(), 1_i64);
    /// driver.topic("in").at(10).send(ada(), 2_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [(ada(), 2)]);
    /// ```
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
    ///
    /// Order, time and headers stay. Null: refused, unless the type is an `Option`. No state;
    /// reads and writes both halves. Prefer [`Stream::map_values`] where the key stays: it
    /// spares the repartition.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").map(|row| (*row.value, row.key.clone())).to("out");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<i64, String>("out").read(), [(7, ada())]);
    /// ```
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
    ///
    /// Key, order, time and headers stay. Null: refused, unless the value is an `Option`; a
    /// result that is `None` is a tombstone. No state; reads and writes the value, and never
    /// looks at the key.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").map_values(|n| n * 2).to("out");
    /// });
    /// driver.topic("in").at(3).send(ada(), 7_i64);
    /// let rows = driver.topic::<String, i64>("out").receive();
    /// assert_eq!((rows[0].value, rows[0].timestamp), (14, 3));
    /// ```
    pub fn map_values<V2: Data>(&self, map: impl Fn(&V) -> V2 + 'static) -> Stream<K, V2> {
        self.then("map-values", false, move |mut item, next| {
            let value = map(item.value()?);
            next(item.with_value(value))
        })
    }

    /// Another value for each row, seen with its key, time and headers.
    ///
    /// As [`Stream::map_values`]; reads the key, too.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in")
    ///         .map_rows(|row| format!("{} {} at {}", row.key, row.value, row.timestamp))
    ///         .to("out");
    /// });
    /// driver.topic("in").at(3).send(ada(), 7_i64);
    /// let rows = driver.topic::<String, String>("out").read();
    /// assert_eq!(rows[0].1, "ada 7 at 3");
    /// ```
    pub fn map_rows<V2: Data>(&self, map: impl Fn(Row<'_, K, V>) -> V2 + 'static) -> Stream<K, V2> {
        self.then("map-values", false, move |mut item, next| {
            let value = map(item.row()?);
            next(item.with_value(value))
        })
    }

    /// Another value for each row; a row with an error is refused and goes the way of the service's
    /// failure policy.
    ///
    /// Otherwise as [`Stream::map_values`]: its neighbours pass.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, String>("in").try_map_values(|text| text.parse::<i64>()).to("out");
    /// });
    /// driver.topic("in").send(ada(), "seven".to_owned());
    /// driver.topic("in").send(ada(), "8".to_owned());
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [(ada(), 8)]);
    /// assert_eq!(driver.dead_letters()[0].reason, "invalid digit found in string");
    /// ```
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
    ///
    /// They follow each other in the order of the iterator, at the place, with the time and the
    /// headers of the row. Null, state and cost as [`Stream::map`]. If one of them cannot be
    /// written, none leaves.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in")
    ///         .flat_map(|row| (0..*row.value).map(|n| (n, "x".to_owned())))
    ///         .to("out");
    /// });
    /// driver.topic("in").send(ada(), 2_i64);
    /// assert_eq!(driver.topic::<i64, String>("out").read().len(), 2);
    /// ```
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
    ///
    /// In the order of the iterator; key, time and headers are the row's. Null and cost as
    /// [`Stream::map_values`].
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, String>("in")
    ///         .flat_map_values(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    ///         .to("out");
    /// });
    /// driver.topic("in").send(ada(), "a b".to_owned());
    /// let words = driver.topic::<String, String>("out").read();
    /// assert_eq!(words, [(ada(), "a".to_owned()), (ada(), "b".to_owned())]);
    /// ```
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
    ///
    /// Order, value, time and headers stay; the value's bytes are passed on. Null: refused
    /// where the type has none; a key of `None` is no key. No state of its own.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").select_key(|row| *row.value).to("out");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<i64, i64>("out").read(), [(7, 7)]);
    /// ```
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
    ///
    /// Time and headers stay. Rows of one partition keep their order; those of several meet by
    /// time. A null value is refused, unless it is an `Option`; a row whose new key is null is
    /// dropped, unless a left or outer join is below. Costs a topic: each row is produced and
    /// consumed once more.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in")
    ///         .rekey("parities", |n| n % 2)
    ///         .group()
    ///         .count("by-parity");
    /// });
    /// for n in [1_i64, 2, 3] {
    ///     driver.topic("in").send(ada(), n);
    /// }
    /// let mut counts = driver.store::<i64, i64>("by-parity");
    /// counts.sort();
    /// assert_eq!(counts, [(0, 1), (1, 2)]);
    /// ```
    pub fn rekey<K2: Data>(&self, name: &str, key: impl Fn(&V) -> K2 + 'static) -> Stream<K2, V> {
        self.then("rekey", true, move |mut item, next| {
            let key = key(item.value()?);
            next(item.with_key(key))
        })
        .repartition(name)
    }

    /// Looks at each row.
    ///
    /// Passes on what came. Reads both halves, so a null is refused where the type has none.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in")
    ///         .peek(|row| weir::log::info(format!("{} at {}", row.key, row.timestamp)))
    ///         .to("out");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [(ada(), 7)]);
    /// ```
    pub fn peek(&self, look: impl Fn(Row<'_, K, V>) + 'static) -> Stream<K, V> {
        self.then("peek", false, move |mut item, next| {
            look(item.row()?);
            next(item)
        })
    }

    /// `N` streams, each row in the one whose number `choose` says; in none where it says `None`
    /// (or a number that is none).
    ///
    /// Each keeps the order; rows are those that came. Null: refused, unless the value is an
    /// `Option`. No state; one call for all branches.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let numbers = t.stream::<String, i64>("in");
    ///     let [odd, even] = numbers.branch(|n| Some(usize::from(n % 2 == 0)));
    ///     odd.to("odd");
    ///     even.to("even");
    /// });
    /// for n in [1_i64, 2, 3] {
    ///     driver.topic("in").send(ada(), n);
    /// }
    /// assert_eq!(driver.topic::<String, i64>("odd").read(), [(ada(), 1), (ada(), 3)]);
    /// assert_eq!(driver.topic::<String, i64>("even").read(), [(ada(), 2)]);
    /// ```
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
    ///
    /// Within a task, that is the order in which it took the rows: by time, as far as they were
    /// there. Nothing is read, nulls pass, no state.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("a").merge(&t.stream("b")).to("out");
    /// });
    /// driver.topic("a").send(ada(), 1_i64);
    /// driver.topic("b").send(ada(), 2_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [(ada(), 1), (ada(), 2)]);
    /// ```
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
    ///
    /// As [`Stream::filter`]; reads nothing.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, Option<i64>>("in").some().to("out");
    /// });
    /// driver.topic("in").send(ada(), None::<i64>);
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [(ada(), 7)]);
    /// ```
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
