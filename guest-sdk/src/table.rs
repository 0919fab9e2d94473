//! Tables: the latest value of each key.
//!
//! A table is what a stream joins with, a store that processors and routes read, and a stream of
//! its changes.

use std::marker::PhantomData;
use std::rc::Rc;

use crate::bindings::weir::service::topology::Edge;
use crate::format::Data;
use crate::graph::Shared;
use crate::state::Store;
use crate::stream::Stream;

/// The latest value of each key. Cheap to clone.
pub struct Table<K, V> {
    graph: Shared,
    edge: Edge,
    store: Store<K, V>,
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
            store: Store::new(graph.borrow_mut().store_handle(store)),
        }
    }

    pub(crate) fn graph(&self) -> &Shared {
        &self.graph
    }

    pub(crate) fn edge(&self) -> Edge {
        self.edge
    }

    /// The table's store, for processors and routes to read. Only the table itself should write it.
    pub fn store(&self) -> Store<K, V> {
        self.store
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
