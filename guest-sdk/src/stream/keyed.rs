//! Groups: count, reduce and aggregate, plain and in windows.
//!
//! The host plans which state each row makes of which; the aggregator runs here over a whole batch
//! of such steps, and states stay in memory between them.

use std::time::Duration;

use super::Stream;
use crate::bindings::weir::service::topology::{Aggregate, Aggregator, Emit, Operator, Window};
use crate::duration::milliseconds;
use crate::fold;
use crate::format::{Data, Session, Windowed};
use crate::function::Function;
use crate::table::Table;

/// Tumbling or hopping windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size: Duration,
    advance: Duration,
    grace: Duration,
}

impl TimeWindows {
    /// Windows of this size, one after the other. No grace.
    pub fn tumbling(size: Duration) -> TimeWindows {
        TimeWindows::hopping(size, size)
    }

    /// Windows of this size, a new one each `advance`. No grace.
    pub fn hopping(size: Duration, advance: Duration) -> TimeWindows {
        TimeWindows {
            size,
            advance,
            grace: Duration::ZERO,
        }
    }

    /// How long after its end a window still takes late rows.
    pub fn grace(self, grace: Duration) -> TimeWindows {
        TimeWindows { grace, ..self }
    }
}

/// Sessions: rows of a key with no longer gap between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    gap: Duration,
    grace: Duration,
}

impl SessionWindows {
    /// Sessions that end where no row comes for longer than `gap`. No grace.
    pub fn gap(gap: Duration) -> SessionWindows {
        let grace = Duration::ZERO;
        SessionWindows { gap, grace }
    }

    /// How long after its end a session still takes late rows.
    pub fn grace(self, grace: Duration) -> SessionWindows {
        SessionWindows { grace, ..self }
    }
}

/// A stream whose rows are taken together by their key.
pub struct Group<K, V> {
    stream: Stream<K, V>,
}

/// The same, in tumbling or hopping windows.
pub struct WindowedGroup<K, V> {
    stream: Stream<K, V>,
    windows: TimeWindows,
}

/// The same, in sessions.
pub struct Sessions<K, V> {
    stream: Stream<K, V>,
    windows: SessionWindows,
}

impl<K: Data, V: Data> Stream<K, V> {
    /// Rows together by their key.
    pub fn group(&self) -> Group<K, V> {
        let stream = self.clone();
        Group { stream }
    }

    /// Rows together by another key; repartitioned through the topic
    /// `<service>-<name>-repartition`.
    pub fn group_by<K2: Data>(&self, name: &str, key: impl Fn(&V) -> K2 + 'static) -> Group<K2, V> {
        self.rekey(name, key).group()
    }

    fn aggregated<K2: Data, A: Data>(
        &self,
        store: &str,
        window: Option<Window>,
        function: Option<Function>,
    ) -> Table<K2, A> {
        let inputs = vec![self.edge()];
        let mut graph = self.graph.borrow_mut();
        let aggregator = match function {
            None => Aggregator::Count,
            Some(function) => Aggregator::Function(graph.function(function)),
        };
        let aggregate = Operator::Aggregate(Aggregate {
            aggregator,
            store: store.to_owned(),
            window,
            emit: Emit::OnUpdate,
            skip_null_values: window.is_none(),
        });
        let edge = graph.node(store, inputs, aggregate);
        drop(graph);
        Table::of(&self.graph, edge, store)
    }
}

impl<K: Data, V: Data> Group<K, V> {
    /// How many rows each key had, in a store of this name. The host counts; no closure is called.
    pub fn count(&self, store: &str) -> Table<K, i64> {
        self.stream.aggregated(store, None, None)
    }

    /// The first value of each key, and what `reduce` makes of it and each later one.
    pub fn reduce(&self, store: &str, reduce: impl Fn(V, &V) -> V + 'static) -> Table<K, V> {
        let function = Function::Fold(Box::new(fold::reducer(reduce)));
        self.stream.aggregated(store, None, Some(function))
    }

    /// A state for each key: `initial`, and `add` for each row.
    pub fn aggregate<A: Data>(
        &self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        add: impl Fn(&mut A, &V) + 'static,
    ) -> Table<K, A> {
        let function = Function::Fold(Box::new(fold::aggregator(initial, add)));
        self.stream.aggregated(store, None, Some(function))
    }

    /// Apart in tumbling or hopping windows.
    pub fn windowed(&self, windows: TimeWindows) -> WindowedGroup<K, V> {
        let stream = self.stream.clone();
        WindowedGroup { stream, windows }
    }

    /// Apart in sessions.
    pub fn sessions(&self, windows: SessionWindows) -> Sessions<K, V> {
        let stream = self.stream.clone();
        Sessions { stream, windows }
    }
}

impl<K: Data, V: Data> WindowedGroup<K, V> {
    fn window(&self) -> Option<Window> {
        let TimeWindows {
            size,
            advance,
            grace,
        } = self.windows;
        Some(Window::Hopping((
            milliseconds(size),
            milliseconds(advance),
            milliseconds(grace),
        )))
    }

    /// How many rows each key had in each window.
    pub fn count(&self, store: &str) -> Table<Windowed<K>, i64> {
        self.stream.aggregated(store, self.window(), None)
    }

    /// The first value of each key and window, and what `reduce` makes of it and each later one.
    pub fn reduce(
        &self,
        store: &str,
        reduce: impl Fn(V, &V) -> V + 'static,
    ) -> Table<Windowed<K>, V> {
        let function = Function::Fold(Box::new(fold::reducer(reduce)));
        self.stream.aggregated(store, self.window(), Some(function))
    }

    /// A state for each key and window.
    pub fn aggregate<A: Data>(
        &self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        add: impl Fn(&mut A, &V) + 'static,
    ) -> Table<Windowed<K>, A> {
        let function = Function::Fold(Box::new(fold::aggregator(initial, add)));
        self.stream.aggregated(store, self.window(), Some(function))
    }
}

impl<K: Data, V: Data> Sessions<K, V> {
    fn window(&self) -> Option<Window> {
        let SessionWindows { gap, grace } = self.windows;
        Some(Window::Session((milliseconds(gap), milliseconds(grace))))
    }

    /// How many rows each key had in each session.
    pub fn count(&self, store: &str) -> Table<Session<K>, i64> {
        self.stream.aggregated(store, self.window(), None)
    }

    /// A state for each key and session. `merge` makes one of two, the earlier one first, when a
    /// row closes the gap between them.
    pub fn aggregate<A: Data>(
        &self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        add: impl Fn(&mut A, &V) + 'static,
        merge: impl Fn(A, A) -> A + 'static,
    ) -> Table<Session<K>, A> {
        let function = Function::Fold(Box::new(fold::sessions(initial, add, merge)));
        self.stream.aggregated(store, self.window(), Some(function))
    }
}
