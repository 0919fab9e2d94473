//! Groups: count, reduce and aggregate, plain and in windows.
//!
//! The host plans which state each row makes of which; the aggregator runs here over a whole batch
//! of such steps, and states stay in memory between them.

use std::time::Duration;

use super::Stream;
use crate::bindings::weir::service::topology::{Aggregate, Aggregator, Operator, Window};
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
    ///
    /// No row moves, unless a step above has changed the key: then what follows repartitions,
    /// under the name of its store. Rows without a key are passed over.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").group().count("counts");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.store::<String, i64>("counts"), [(ada(), 1)]);
    /// ```
    pub fn group(&self) -> Group<K, V> {
        let stream = self.clone();
        Group { stream }
    }

    /// Rows together by another key; repartitioned through the topic
    /// `<service>-<name>-repartition`.
    ///
    /// As [`Stream::rekey`] and [`Stream::group`].
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").group_by("parities", |n| n % 2).count("counts");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.store::<i64, i64>("counts"), [(1, 1)]);
    /// ```
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
            skip_null_values: window.is_none(),
        });
        let edge = graph.node(store, inputs, aggregate);
        drop(graph);
        Table::of(&self.graph, edge, store)
    }
}

impl<K: Data, V: Data> Group<K, V> {
    /// How many rows each key had, in a store of this name. The host counts; no closure is called.
    ///
    /// Every row makes a result, in the order of rows; its time is the highest of the key's
    /// rows, its headers are the row's. Rows without a key or a value are passed over. State: a
    /// number a key, with a changelog, for ever. Cost: a read and a write of it a key and
    /// batch.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").group().count("counts").to_stream().to("out");
    /// });
    /// driver.topic("in").at(9).send(ada(), 5_i64);
    /// driver.topic("in").at(3).send(ada(), 5_i64);
    /// let counts = driver.topic::<String, i64>("out").receive();
    /// let counts: Vec<_> = counts.iter().map(|row| (row.value, row.timestamp)).collect();
    /// assert_eq!(counts, [(1, 9), (2, 9)]);
    /// ```
    pub fn count(&self, store: &str) -> Table<K, i64> {
        self.stream.aggregated(store, None, None)
    }

    /// The first value of each key, and what `reduce` makes of it and each later one.
    ///
    /// Order, times, nulls and state as [`Group::count`]; a result that is null deletes the
    /// key, and the next row begins anew. Cost: one call a batch; each state is read once and
    /// written after each row.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").group().reduce("highest", |high, n| high.max(*n));
    /// });
    /// for n in [2_i64, 7, 5] {
    ///     driver.topic("in").send(ada(), n);
    /// }
    /// assert_eq!(driver.store::<String, i64>("highest"), [(ada(), 7)]);
    /// ```
    pub fn reduce(&self, store: &str, reduce: impl Fn(V, &V) -> V + 'static) -> Table<K, V> {
        let function = Function::Fold(Box::new(fold::reducer(reduce)));
        self.stream.aggregated(store, None, Some(function))
    }

    /// A state for each key: `initial`, and `add` for each row.
    ///
    /// As [`Group::reduce`]. Each result is the whole state: keep it small; a ledger or a list
    /// is a store of its own ([`Stream::process`]).
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").group().aggregate("sums", || 0_i64, |sum, n| *sum += n);
    /// });
    /// for n in [2_i64, 7] {
    ///     driver.topic("in").send(ada(), n);
    /// }
    /// assert_eq!(driver.store::<String, i64>("sums"), [(ada(), 9)]);
    /// ```
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
    ///
    /// Windows are aligned to the epoch. A row counts in each that holds its time; in none that
    /// had ended, grace included, by the operator's stream time: the highest time of the rows
    /// that it took. Late rows go nowhere.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use weir::{Topology, testing::Driver, TimeWindows, Windowed};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let minute = TimeWindows::tumbling(Duration::from_secs(60));
    ///     let counts = t.stream::<String, i64>("in").group().windowed(minute).count("counts");
    ///     counts.to_stream().to("out");
    /// });
    /// for at in [10_000, 50_000, 60_000] {
    ///     driver.topic("in").at(at).send(ada(), 1_i64);
    /// }
    /// let counts = driver.topic::<Windowed<String>, i64>("out").read();
    /// let counts: Vec<_> = counts.iter().map(|(key, count)| (key.start, *count)).collect();
    /// assert_eq!(counts, [(0, 1), (0, 2), (60_000, 1)]);
    /// ```
    pub fn windowed(&self, windows: TimeWindows) -> WindowedGroup<K, V> {
        let stream = self.stream.clone();
        WindowedGroup { stream, windows }
    }

    /// Apart in sessions.
    ///
    /// A row within `gap` of a session joins it, and makes one of two that it touches. Late is
    /// what would end more than gap and grace before the operator's stream time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use weir::{Topology, testing::Driver, Session, SessionWindows};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let visits = SessionWindows::gap(Duration::from_secs(30));
    ///     let visits = t.stream::<String, i64>("in").group().sessions(visits).count("visits");
    ///     visits.changes().to("out");
    /// });
    /// for at in [10_000, 20_000] {
    ///     driver.topic("in").at(at).send(ada(), 1_i64);
    /// }
    /// let visits = driver.topic::<Session<String>, Option<i64>>("out").read();
    /// let visits: Vec<_> = visits.iter().map(|(key, n)| (key.start, key.end, *n)).collect();
    /// let [one, gone] = [Some(1), None].map(|count| (10_000, 10_000, count));
    /// assert_eq!(visits, [one, gone, (10_000, 20_000, Some(2))]);
    /// ```
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
    ///
    /// As [`Group::count`], a result for each window of the row, the earliest first; but rows
    /// with a null value count. State: a number a key and window, gone when the window has
    /// closed.
    ///
    /// See [`Group::windowed`].
    pub fn count(&self, store: &str) -> Table<Windowed<K>, i64> {
        self.stream.aggregated(store, self.window(), None)
    }

    /// The first value of each key and window, and what `reduce` makes of it and each later one.
    ///
    /// As [`Group::reduce`] in each window of the row, the earliest first.
    ///
    /// See [`Group::windowed`].
    pub fn reduce(
        &self,
        store: &str,
        reduce: impl Fn(V, &V) -> V + 'static,
    ) -> Table<Windowed<K>, V> {
        let function = Function::Fold(Box::new(fold::reducer(reduce)));
        self.stream.aggregated(store, self.window(), Some(function))
    }

    /// A state for each key and window.
    ///
    /// As [`Group::aggregate`] in each window of the row, the earliest first; a null value is
    /// refused, unless it is an `Option`.
    ///
    /// See [`Group::windowed`].
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
    ///
    /// A row that changes a session's bounds makes a tombstone of each old one (its time: the
    /// session's end), then the new one, whose time is its end. Rows with a null value count.
    /// State: a number a session, gone when it has closed.
    ///
    /// See [`Group::sessions`].
    pub fn count(&self, store: &str) -> Table<Session<K>, i64> {
        self.stream.aggregated(store, self.window(), None)
    }

    /// A state for each key and session. `merge` makes one of two, the earlier one first, when a
    /// row closes the gap between them.
    ///
    /// Results as [`Sessions::count`]; a null value is refused, unless it is an `Option`.
    ///
    /// See [`Group::sessions`].
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
