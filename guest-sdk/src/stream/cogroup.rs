//! Cogroups: several streams of one key in one aggregate, each with an adder of its own.

use super::keyed::{Aggregated, Group};
use super::{SessionWindows, Windows};
use crate::bindings::weir::service::topology::{Edge, Emit, Window};
use crate::fold::{self, Adder};
use crate::format::{Data, Session, Windowed};
use crate::function::Function;
use crate::graph::Shared;
use crate::table::Table;

/// Streams that go into one state of type `A` for each key.
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
pub struct Cogroup<K, A> {
    graph: Shared,
    inputs: Vec<Edge>,
    adders: Vec<Adder<A>>,
    key: std::marker::PhantomData<fn(K)>,
}

/// The same, in tumbling, hopping or sliding windows.
pub struct WindowedCogroup<K, A> {
    cogroup: Cogroup<K, A>,
    window: Window,
}

/// The same, in sessions.
pub struct CogroupSessions<K, A> {
    cogroup: Cogroup<K, A>,
    window: Window,
}

impl<K: Data, V: Data> Group<K, V> {
    /// The first of the streams of a cogroup.
    pub fn cogroup<A: Data>(&self, add: impl Fn(&mut A, &V) + 'static) -> Cogroup<K, A> {
        Cogroup {
            graph: self.stream.graph.clone(),
            inputs: vec![self.stream.edge()],
            adders: vec![fold::adder(add)],
            key: std::marker::PhantomData,
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
        let function = fold::aggregator(initial, self.adders);
        aggregated(&self.graph, self.inputs, None, Box::new(function), store)
    }

    /// Apart in tumbling, hopping or sliding windows.
    pub fn windowed(self, windows: impl Into<Windows>) -> WindowedCogroup<K, A> {
        let window = windows.into().0;
        WindowedCogroup {
            cogroup: self,
            window,
        }
    }

    /// Apart in sessions.
    pub fn sessions(self, windows: SessionWindows) -> CogroupSessions<K, A> {
        let window = windows.window();
        CogroupSessions {
            cogroup: self,
            window,
        }
    }
}

impl<K: Data, A: Data> WindowedCogroup<K, A> {
    /// A state for each key and window.
    pub fn aggregate(
        self,
        store: &str,
        initial: impl Fn() -> A + 'static,
    ) -> Table<Windowed<K>, A> {
        let Cogroup {
            graph,
            inputs,
            adders,
            ..
        } = self.cogroup;
        let function = Box::new(fold::aggregator(initial, adders));
        aggregated(&graph, inputs, Some(self.window), function, store)
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
        let Cogroup {
            graph,
            inputs,
            adders,
            ..
        } = self.cogroup;
        let function = Box::new(fold::sessions(initial, adders, merge));
        aggregated(&graph, inputs, Some(self.window), function, store)
    }
}

fn aggregated<K: Data, A: Data>(
    graph: &Shared,
    inputs: Vec<Edge>,
    window: Option<Window>,
    function: Box<crate::function::Fold>,
    store: &str,
) -> Table<K, A> {
    let aggregated = Aggregated {
        graph,
        inputs,
        window,
        emit: Emit::OnUpdate,
    };
    aggregated.table(store, Some(Function::Fold(function)))
}
