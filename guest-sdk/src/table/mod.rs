//! Tables: the latest value of each key.
//!
//! A table is what a stream joins with, a store that processors and routes read, and a stream of
//! its changes. Tables make other tables: filtered, mapped, grouped ([`group`]), joined ([`join`]).
//! The host keeps of each only what somebody reads.

mod group;
mod join;

use std::marker::PhantomData;
use std::rc::Rc;

use crate::bindings::weir::service::topology::{Aggregator, Edge, Operator, TableMap};
use crate::format::Data;
use crate::function::{Fold, Function};
use crate::graph::Shared;
use crate::row::Row;
use crate::state::Store;
use crate::stream::Stream;

pub use group::GroupedTable;

/// The latest value of each key. Cheap to clone.
pub struct Table<K, V> {
    graph: Shared,
    edge: Edge,
    /// `None`: nobody has given it a name.
    store: Option<Store<K, V>>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Table<K, V> {
        Table {
            graph: Rc::clone(&self.graph),
            edge: self.edge,
            store: self.store,
        }
    }
}

impl<K: Data, V: Data> Table<K, V> {
    pub(crate) fn of(graph: &Shared, edge: Edge, store: &str) -> Table<K, V> {
        Table {
            graph: Rc::clone(graph),
            edge,
            store: Some(Store::new(graph.borrow_mut().store_handle(store))),
        }
    }

    /// What an aggregate of this store makes; `fold`: none, the host counts.
    pub(crate) fn aggregated(
        graph: &Shared,
        inputs: Vec<Edge>,
        store: &str,
        fold: Option<Box<Fold>>,
        operator: impl FnOnce(Aggregator, String) -> Operator,
    ) -> Table<K, V> {
        let mut building = graph.borrow_mut();
        let aggregator = match fold {
            None => Aggregator::Count,
            Some(fold) => Aggregator::Function(building.function(Function::Fold(fold))),
        };
        let edge = building.node(store, inputs, operator(aggregator, store.to_owned()));
        drop(building);
        Table::of(graph, edge, store)
    }

    /// A table without a store of its own name.
    fn unnamed(graph: &Shared, edge: Edge) -> Table<K, V> {
        Table {
            graph: Rc::clone(graph),
            edge,
            store: None,
        }
    }

    pub(crate) fn graph(&self) -> &Shared {
        &self.graph
    }

    pub(crate) fn edge(&self) -> Edge {
        self.edge
    }

    /// The table's store, for processors and routes to read. Only the table itself should write it.
    /// One that was made of another table has none before [`stored_as`](Table::stored_as).
    pub fn store(&self) -> Store<K, V> {
        self.store.unwrap_or_else(|| {
            let mut graph = self.graph.borrow_mut();
            let name = graph.name(self.edge);
            let mend = "give it one with `stored_as`";
            graph
                .mistakes
                .push(format!("table `{name}` has no store to read; {mend}"));
            Store::new(graph.store_handle(&name))
        })
    }

    /// The same table, kept in a store of this name, which processors and routes can read. Only for
    /// tables that were made of others: filtered, mapped, joined.
    ///
    /// **State**: an entry a key. Without this the host keeps nothing, and makes the value anew for
    /// whoever reads it by key.
    pub fn stored_as(&self, store: &str) -> Table<K, V> {
        let mut graph = self.graph.borrow_mut();
        if !graph.name_store(self.edge, store) {
            let name = graph.name(self.edge);
            graph
                .mistakes
                .push(format!("table `{name}` has a store already; use that one"));
        }
        drop(graph);
        Table::of(&self.graph, self.edge, store)
    }

    /// The rows whose value passes.
    ///
    /// - **Order**: one row for each, in their order.
    /// - **Timestamps** and headers are the row's.
    /// - **Nulls**: a row that does not pass is sent as a tombstone, since what was there before
    ///   may have passed; a tombstone as it is. Neither is sent where the value before is known not
    ///   to have passed.
    /// - **State**: none, see [`stored_as`](Table::stored_as). **Cost**: one call a batch; a second
    ///   one for the values before, where somebody below needs them.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let low = t.table::<String, i64>("stock").filter(|pieces| *pieces < 10);
    ///     low.changes().to("low-stock");
    /// });
    /// for pieces in [12, 9, 15] {
    ///     driver.topic("stock").send("tea".to_owned(), pieces as i64);
    /// }
    /// let low = driver.topic::<String, Option<i64>>("low-stock").read();
    /// assert_eq!(low, [("tea".to_owned(), Some(9)), ("tea".to_owned(), None)]);
    /// ```
    pub fn filter(&self, keep: impl Fn(&V) -> bool + 'static) -> Table<K, V> {
        self.mapped("filter", Operator::TableFilter, &self.rows().filter(keep))
    }

    /// As [`filter`](Table::filter), seen with its key, time and headers. Where the value before is
    /// asked for, it is with the time of the row at hand, and no headers.
    pub fn filter_rows(&self, keep: impl Fn(Row<'_, K, V>) -> bool + 'static) -> Table<K, V> {
        self.mapped(
            "filter",
            Operator::TableFilter,
            &self.rows().filter_rows(keep),
        )
    }

    /// Another value for each key.
    ///
    /// - **Order**, **timestamps** and headers: the row's.
    /// - **Nulls**: tombstones pass; no closure is called.
    /// - **State** and **cost**: as of a [`filter`](Table::filter).
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.table::<String, i64>("cents")
    ///         .map_values(|cents| format!("{}.{:02}", cents / 100, cents % 100))
    ///         .to_stream()
    ///         .to("prices");
    /// });
    /// driver.topic("cents").send("tea".to_owned(), 250_i64);
    /// let prices = driver.topic::<String, String>("prices").read();
    /// assert_eq!(prices, [("tea".to_owned(), "2.50".to_owned())]);
    /// ```
    pub fn map_values<V2: Data>(&self, map: impl Fn(&V) -> V2 + 'static) -> Table<K, V2> {
        let steps = self.rows().map_values(map);
        self.mapped("map-values", Operator::TableMapValues, &steps)
    }

    /// As [`map_values`](Table::map_values), seen with its key, time and headers; for the value
    /// before as in [`filter_rows`](Table::filter_rows).
    pub fn map_rows<V2: Data>(&self, map: impl Fn(Row<'_, K, V>) -> V2 + 'static) -> Table<K, V2> {
        let steps = self.rows().map_rows(map);
        self.mapped("map-values", Operator::TableMapValues, &steps)
    }

    /// The values, as if they were a stream, to make a function of steps.
    fn rows(&self) -> Stream<K, V> {
        Stream::of(&self.graph, self.edge)
    }

    fn mapped<V2: Data>(
        &self,
        name: &str,
        operator: fn(TableMap) -> Operator,
        steps: &Stream<K, V2>,
    ) -> Table<K, V2> {
        let mut graph = self.graph.borrow_mut();
        let name = format!("{}-{name}", graph.name(self.edge));
        let function = graph.function(steps.function());
        let map = TableMap {
            function,
            store: None,
        };
        let edge = graph.node(&name, vec![self.edge], operator(map));
        drop(graph);
        Table::unnamed(&self.graph, edge)
    }

    /// The changes, one a row that the table took; `None`: the key was deleted.
    pub fn changes(&self) -> Stream<K, Option<V>> {
        Stream::of(&self.graph, self.edge)
    }

    /// The changes but for deletions.
    pub fn to_stream(&self) -> Stream<K, V> {
        self.changes().some()
    }
}

/// A table that every task has the whole of, to be joined by any key.
pub struct GlobalTable<K, V> {
    edge: Edge,
    kinds: PhantomData<fn(K, V)>,
}

impl<K, V> Clone for GlobalTable<K, V> {
    fn clone(&self) -> GlobalTable<K, V> {
        *self
    }
}

impl<K, V> Copy for GlobalTable<K, V> {}

impl<K, V> GlobalTable<K, V> {
    pub(crate) fn of(edge: Edge) -> GlobalTable<K, V> {
        let kinds = PhantomData;
        GlobalTable { edge, kinds }
    }

    pub(crate) fn edge(self) -> Edge {
        self.edge
    }
}
