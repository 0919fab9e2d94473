//! Groups: count, reduce and aggregate, plain and in windows.
//!
//! The host plans which state each row makes of which; the aggregator runs here over a whole batch
//! of such steps, and states stay in memory between them.

use super::{SessionWindows, Stream, Windows};
use crate::bindings::weir::service::topology::{
    Aggregate, Aggregator, Edge, Emit, Operator, Window,
};
use crate::fold;
use crate::format::{Data, Session, Windowed};
use crate::function::Function;
use crate::graph::Shared;
use crate::table::Table;

/// A stream whose rows are taken together by their key.
pub struct Group<K, V> {
    pub(super) stream: Stream<K, V>,
}

/// The same, in tumbling, hopping or sliding windows.
///
/// - **Order**: the updates of a row follow each other by the start of their windows (sliding: the
///   windows that hold the row from the latest down, then those that it makes).
/// - **Timestamps**: the highest of the rows in the window.
/// - **Nulls**: rows without a key are passed over, and in sliding windows rows without a value,
///   too. Other windows take them: `V` is an `Option`, or the row is refused. A state that becomes
///   null deletes its window, and the null is sent.
/// - **Late rows**: a window takes rows until the operator's own stream time has passed its end and
///   the grace; what is later is dropped and counted as `late`.
/// - **State**: a row for each key and window, kept for size and grace (sliding: twice the size and
///   grace) behind the latest, then deleted by whole segments.
/// - **Cost**: a look-up and a step of the aggregator for each window of a row: 1 if they tumble,
///   `size / advance` if they hop, one for each other row of the key that is near if they slide.
pub struct WindowedGroup<K, V> {
    stream: Stream<K, V>,
    window: Window,
    emit: Emit,
}

/// The same, in sessions.
///
/// - **Order**: a row takes away the sessions that it joins, each with a tombstone, by their end;
///   then it sends the session made of them and itself.
/// - **Timestamps**: the end of the session.
/// - **Nulls**: rows without a key are passed over; null values are taken, so `V` is an `Option`,
///   or the row is refused.
/// - **Late rows**: a row is late, and dropped, if the session that it would belong to ended longer
///   than gap and grace ago; an open session that it touches saves it.
/// - **State**: a row for each key and session, kept for gap and grace after its end.
/// - **Cost**: a range read and a step of the aggregator for each row, one of `merge` for each
///   session that it joins.
pub struct Sessions<K, V> {
    stream: Stream<K, V>,
    window: Window,
    emit: Emit,
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
}

/// What the aggregates of streams have in common.
pub(super) struct Aggregated<'a> {
    pub(super) graph: &'a Shared,
    pub(super) inputs: Vec<Edge>,
    pub(super) window: Option<Window>,
    pub(super) emit: Emit,
}

impl Aggregated<'_> {
    /// The node, and the table that it makes.
    pub(super) fn table<K: Data, A: Data>(
        self,
        store: &str,
        function: Option<Function>,
    ) -> Table<K, A> {
        let mut graph = self.graph.borrow_mut();
        let aggregator = match function {
            None => Aggregator::Count,
            Some(function) => Aggregator::Function(graph.function(function)),
        };
        let aggregate = Operator::Aggregate(Aggregate {
            aggregator,
            store: store.to_owned(),
            window: self.window,
            emit: self.emit,
            skip_null_values: matches!(self.window, None | Some(Window::Sliding(_))),
        });
        let edge = graph.node(store, self.inputs, aggregate);
        drop(graph);
        Table::of(self.graph, edge, store)
    }
}

impl<K: Data, V: Data> Group<K, V> {
    fn aggregated<A: Data>(&self, store: &str, function: Option<Function>) -> Table<K, A> {
        let plain = Aggregated {
            graph: &self.stream.graph,
            inputs: vec![self.stream.edge()],
            window: None,
            emit: Emit::OnUpdate,
        };
        plain.table(store, function)
    }

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
        self.aggregated(store, None)
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
        self.aggregated(store, Some(function))
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
        let fold = fold::aggregator(initial, vec![fold::adder(add)]);
        self.aggregated(store, Some(Function::Fold(Box::new(fold))))
    }

    /// Apart in windows: [`TimeWindows`](super::TimeWindows), tumbling or hopping, or
    /// [`SlidingWindows`](super::SlidingWindows).
    ///
    /// They are aligned to the epoch (sliding ones: to the rows). A row counts in each that holds
    /// its time; in none that had ended, grace included, by the operator's stream time: the highest
    /// time of the rows that it took. Late rows go nowhere.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{SlidingWindows, Topology, Windowed, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("payments")
    ///         .group()
    ///         .windowed(SlidingWindows::of(Duration::from_secs(10)))
    ///         .count("within-ten-seconds")
    ///         .to_stream()
    ///         .filter(|count| *count >= 3)
    ///         .to("bursts");
    /// });
    /// for second in [0, 9, 12, 15] {
    ///     driver.topic("payments").at(second * 1000).send("card".to_owned(), 5_i64);
    /// }
    /// let bursts = driver.topic::<Windowed<String>, i64>("bursts").read();
    /// let (window, count) = &bursts[0];
    /// assert_eq!((window.start, *count, bursts.len()), (5_000, 3, 1));
    /// ```
    pub fn windowed(&self, windows: impl Into<Windows>) -> WindowedGroup<K, V> {
        WindowedGroup {
            stream: self.stream.clone(),
            window: windows.into().0,
            emit: Emit::OnUpdate,
        }
    }

    /// Apart in sessions.
    ///
    /// A row within `gap` of a session joins it, and makes one of two that it touches. Late is
    /// what would end more than gap and grace before the operator's stream time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Session, SessionWindows, Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, String>("clicks")
    ///         .group()
    ///         .sessions(SessionWindows::gap(Duration::from_secs(60)))
    ///         .count("visits")
    ///         .changes()
    ///         .to("visits");
    /// });
    /// for second in [0, 50] {
    ///     driver.topic("clicks").at(second * 1000).send("ada".to_owned(), "/".to_owned());
    /// }
    /// let visits = driver.topic::<Session<String>, Option<i64>>("visits").read();
    /// let seen: Vec<_> = visits.iter().map(|(key, count)| (key.end, *count)).collect();
    /// assert_eq!(seen, [(0, Some(1)), (0, None), (50_000, Some(2))]);
    /// ```
    pub fn sessions(&self, windows: SessionWindows) -> Sessions<K, V> {
        Sessions {
            stream: self.stream.clone(),
            window: windows.window(),
            emit: Emit::OnUpdate,
        }
    }
}

impl<K: Data, V: Data> WindowedGroup<K, V> {
    fn aggregated<A: Data>(
        &self,
        store: &str,
        function: Option<Function>,
    ) -> Table<Windowed<K>, A> {
        let windowed = Aggregated {
            graph: &self.stream.graph,
            inputs: vec![self.stream.edge()],
            window: Some(self.window),
            emit: self.emit,
        };
        windowed.table(store, function)
    }

    /// Nothing is sent before a window closes; then its result is, once, and none is ever lost.
    ///
    /// - **Order**: by start, then key bytes.
    /// - **Timestamps**: the highest of the rows in the window. **Headers**: those of the row whose
    ///   time closed it.
    /// - **State**: an index of the open windows more. **Cost**: nothing while no window closes,
    ///   then a look-up of those that do.
    ///
    /// Time is that of the rows: the last windows of a stream stay open until later rows come.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{TimeWindows, Topology, Windowed, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("clicks")
    ///         .group()
    ///         .windowed(TimeWindows::tumbling(Duration::from_secs(60)))
    ///         .emit_on_window_close()
    ///         .count("per-minute")
    ///         .to_stream()
    ///         .to("per-minute");
    /// });
    /// for second in [1, 30, 59, 60] {
    ///     driver.topic("clicks").at(second * 1000).send("ada".to_owned(), 1_i64);
    /// }
    /// let minutes = driver.topic::<Windowed<String>, i64>("per-minute").read();
    /// assert_eq!((minutes.len(), minutes[0].1), (1, 3));
    /// ```
    pub fn emit_on_window_close(self) -> WindowedGroup<K, V> {
        let emit = Emit::OnWindowClose;
        WindowedGroup { emit, ..self }
    }

    /// How many rows each key had in each window. The host counts; no closure is called.
    ///
    /// As [`Group::count`], a result for each window of the row; but in tumbling and hopping
    /// windows, a row with a null value counts. State: a number a key and window, gone when the window has
    /// closed.
    ///
    /// See [`Group::windowed`].
    pub fn count(&self, store: &str) -> Table<Windowed<K>, i64> {
        self.aggregated(store, None)
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
        self.aggregated(store, Some(function))
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
        let fold = fold::aggregator(initial, vec![fold::adder(add)]);
        self.aggregated(store, Some(Function::Fold(Box::new(fold))))
    }
}

impl<K: Data, V: Data> Sessions<K, V> {
    fn aggregated<A: Data>(&self, store: &str, function: Option<Function>) -> Table<Session<K>, A> {
        let windowed = Aggregated {
            graph: &self.stream.graph,
            inputs: vec![self.stream.edge()],
            window: Some(self.window),
            emit: self.emit,
        };
        windowed.table(store, function)
    }

    /// Nothing is sent before a session closes, a gap and the grace after its end; then its result
    /// is, once, by end, start and key bytes, with the timestamp of its end and the headers of the
    /// row whose time closed it. See [`WindowedGroup::emit_on_window_close`].
    pub fn emit_on_window_close(self) -> Sessions<K, V> {
        let emit = Emit::OnWindowClose;
        Sessions { emit, ..self }
    }

    /// How many rows each key had in each session. The host counts; no closure is called.
    ///
    /// A row that changes a session's bounds makes a tombstone of each old one (its time: the
    /// session's end), then the new one, whose time is its end. Rows with a null value count.
    /// State: a number a session, gone when it has closed.
    ///
    /// See [`Group::sessions`].
    pub fn count(&self, store: &str) -> Table<Session<K>, i64> {
        self.aggregated(store, None)
    }

    /// The first value of each key and session, and what `reduce` makes of it and each later one;
    /// of two sessions that become one, the earlier one's comes first.
    pub fn reduce(
        &self,
        store: &str,
        reduce: impl Fn(V, &V) -> V + 'static,
    ) -> Table<Session<K>, V> {
        let function = Function::Fold(Box::new(fold::reducer(reduce)));
        self.aggregated(store, Some(function))
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
        let fold = fold::sessions(initial, vec![fold::adder(add)], merge);
        self.aggregated(store, Some(Function::Fold(Box::new(fold))))
    }
}
