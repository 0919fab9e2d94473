//! Cogroups: several streams of one key in one aggregate, each with an adder of its own.

use std::marker::PhantomData;
use std::rc::Rc;

use super::keyed::{Group, aggregated};
use super::{SessionWindows, Windows};
use crate::bindings::weir::service::topology::{Edge, Emit, Window};
use crate::fold::{self, Adder};
use crate::format::{Data, Session, Windowed};
use crate::function::Fold;
use crate::graph::Shared;
use crate::table::Table;

/// Streams that go into one state of type `A` for each key; `R` is the key of the results.
///
/// - **Order**: one update a row, in the order of the rows of all streams.
/// - **Timestamps**: the higher of the state's and the row's; in windows and sessions as without a
///   cogroup, but each stream has its own stream time, so a row that is late in one may not be in
///   another.
/// - **Nulls**: as in the aggregates of one stream: plain and sliding ones pass over rows without a
///   value.
/// - **State**: one state a key (and window). **Cost**: a step of the row's adder.
/// - The streams need topics of the same number of partitions.
///
/// ```
/// use weir::{Topology, testing::Driver};
///
/// let mut driver = Driver::new(|t: &mut Topology| {
///     let paid = t.stream::<String, i64>("paid").group();
///     let refunded = t.stream::<String, i64>("refunded").group();
///     paid.cogroup(|balance: &mut i64, paid| *balance += paid)
///         .and(&refunded, |balance, refund| *balance -= refund)
///         .aggregate("balances", || 0)
///         .to_stream()
///         .to("balances");
/// });
/// driver.topic("paid").send("ada".to_owned(), 50_i64);
/// driver.topic("refunded").send("ada".to_owned(), 20_i64);
/// let balances = driver.topic::<String, i64>("balances").read();
/// assert_eq!(balances, [("ada".to_owned(), 50), ("ada".to_owned(), 30)]);
/// ```
pub struct Cogroup<K, A, R = K> {
    graph: Shared,
    inputs: Vec<Edge>,
    adders: Vec<Adder<A>>,
    window: Option<Window>,
    keys: PhantomData<fn(K, R)>,
}

/// The same, in tumbling, hopping or sliding windows.
pub type WindowedCogroup<K, A> = Cogroup<K, A, Windowed<K>>;

/// The same, in sessions.
pub type CogroupSessions<K, A> = Cogroup<K, A, Session<K>>;

impl<K: Data, V: Data> Group<K, V> {
    /// The first of the streams of a cogroup.
    pub fn cogroup<A: Data>(&self, add: impl Fn(&mut A, &V) + 'static) -> Cogroup<K, A> {
        Cogroup {
            graph: Rc::clone(&self.stream.graph),
            inputs: vec![self.stream.edge()],
            adders: vec![fold::adder(add)],
            window: None,
            keys: PhantomData,
        }
    }
}

impl<K: Data, A: Data> Cogroup<K, A> {
    /// One more stream.
    pub fn and<V: Data>(
        mut self,
        group: &Group<K, V>,
        add: impl Fn(&mut A, &V) + 'static,
    ) -> Cogroup<K, A> {
        self.inputs.push(group.stream.edge());
        self.adders.push(fold::adder(add));
        self
    }

    /// A state for each key, in a store of this name: `initial`, and the stream's adder for each
    /// row.
    pub fn aggregate(self, store: &str, initial: impl Fn() -> A + 'static) -> Table<K, A> {
        self.table(store, |adders| fold::aggregator(initial, adders))
    }

    /// Apart in tumbling, hopping or sliding windows.
    pub fn windowed(self, windows: impl Into<Windows>) -> WindowedCogroup<K, A> {
        self.in_window(windows.into().0)
    }

    /// Apart in sessions.
    pub fn sessions(self, windows: SessionWindows) -> CogroupSessions<K, A> {
        self.in_window(windows.window())
    }
}

impl<K: Data, A: Data> WindowedCogroup<K, A> {
    /// A state for each key and window.
    pub fn aggregate(
        self,
        store: &str,
        initial: impl Fn() -> A + 'static,
    ) -> Table<Windowed<K>, A> {
        self.table(store, |adders| fold::aggregator(initial, adders))
    }
}

impl<K: Data, A: Data> CogroupSessions<K, A> {
    /// A state for each key and session; `merge` makes one of two, the earlier one first.
    pub fn aggregate(
        self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        merge: impl Fn(A, A) -> A + 'static,
    ) -> Table<Session<K>, A> {
        self.table(store, |adders| fold::sessions(initial, adders, merge))
    }
}

impl<K, A: Data, R: Data> Cogroup<K, A, R> {
    fn in_window<R2>(self, window: Window) -> Cogroup<K, A, R2> {
        Cogroup {
            graph: self.graph,
            inputs: self.inputs,
            adders: self.adders,
            window: Some(window),
            keys: PhantomData,
        }
    }

    fn table(self, store: &str, fold: impl FnOnce(Vec<Adder<A>>) -> Box<Fold>) -> Table<R, A> {
        let fold = fold(self.adders);
        let windows = (self.window, Emit::OnUpdate);
        aggregated(&self.graph, self.inputs, windows, store, Some(fold))
    }
}
