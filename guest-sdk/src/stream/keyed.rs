//! Groups: count, reduce and aggregate, plain and in windows.
//!
//! One [`Group`] for all of them, whose third type is the key of its results. The host plans which
//! state each row makes of which; the aggregator runs here over a whole batch of such steps, and
//! states stay in memory between them.

use std::marker::PhantomData;

use super::{SessionWindows, Stream, Windows};
use crate::bindings::weir::service::topology::{Aggregate, Edge, Emit, Operator, Window};
use crate::fold;
use crate::format::{Data, Session, Windowed};
use crate::function::Fold;
use crate::graph::Shared;
use crate::table::Table;

/// A stream whose rows are taken together by their key; `R` is the key of the results.
///
/// Without windows, `R` is the key itself:
///
/// - **Order**: each row makes a result, in the order of rows.
/// - **Timestamps**: the highest of the key's rows. **Headers**: the row's.
/// - **Nulls**: rows without a key or a value are passed over. A state that becomes null deletes
///   the key, is sent as a tombstone, and the next row begins anew.
/// - **State**: an entry a key, with a changelog, for ever.
/// - **Cost**: one call of the component a batch; each state is read once and written once a
///   batch, and its result is sent for each row.
///
/// In [windows](WindowedGroup) and [sessions](Sessions) some of it differs.
pub struct Group<K, V, R = K> {
    pub(super) stream: Stream<K, V>,
    window: Option<Window>,
    emit: Emit,
    results: PhantomData<fn(R)>,
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
pub type WindowedGroup<K, V> = Group<K, V, Windowed<K>>;

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
pub type Sessions<K, V> = Group<K, V, Session<K>>;

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
        Group {
            stream: self.clone(),
            window: None,
            emit: Emit::OnUpdate,
            results: PhantomData,
        }
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

impl<K: Data, V: Data, R: Data> Group<K, V, R> {
    /// How many rows each key had, in a store of this name; in windows and sessions, in each of
    /// them.
    ///
    /// As the [group](Group), the [windows](WindowedGroup) or the [sessions](Sessions) say. The
    /// host counts, and calls nothing: it costs less than the other two. What has no key is not
    /// counted; a null value only is in tumbling and hopping windows and in sessions.
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
    pub fn count(&self, store: &str) -> Table<R, i64> {
        self.table(store, None)
    }

    /// The first value of each key, and what `reduce` makes of it and each later one; in windows
    /// and sessions, in each of them. Of two sessions that become one, the earlier one's value
    /// comes first.
    ///
    /// As the [group](Group), the [windows](WindowedGroup) or the [sessions](Sessions) say.
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
    pub fn reduce(&self, store: &str, reduce: impl Fn(V, &V) -> V + 'static) -> Table<R, V> {
        self.table(store, Some(fold::reducer(reduce)))
    }

    fn in_window<R2>(&self, window: Window) -> Group<K, V, R2> {
        Group {
            stream: self.stream.clone(),
            window: Some(window),
            emit: Emit::OnUpdate,
            results: PhantomData,
        }
    }

    fn on_window_close(self) -> Group<K, V, R> {
        let emit = Emit::OnWindowClose;
        Group { emit, ..self }
    }

    fn table<A: Data>(&self, store: &str, fold: Option<Box<Fold>>) -> Table<R, A> {
        let Group {
            stream,
            window,
            emit,
            ..
        } = self;
        aggregated(
            &stream.graph,
            vec![stream.edge()],
            (*window, *emit),
            store,
            fold,
        )
    }
}

impl<K: Data, V: Data> Group<K, V> {
    /// A state for each key: `initial`, and `add` for each row.
    ///
    /// As the [group](Group) says. Each result is the whole state: keep it small; a ledger or a
    /// list is a store of its own ([`Stream::process`]).
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
        self.table(
            store,
            Some(fold::aggregator(initial, vec![fold::adder(add)])),
        )
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
        self.in_window(windows.into().0)
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
        self.in_window(windows.window())
    }
}

impl<K: Data, V: Data> WindowedGroup<K, V> {
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
        self.on_window_close()
    }

    /// A state for each key and window, in a store of this name: `initial`, and `add` for each row.
    ///
    /// As the [windows](WindowedGroup) say.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{TimeWindows, Topology, Windowed, testing::Driver};
    ///
    /// let hour = Duration::from_secs(3600);
    /// let mut driver = Driver::new(move |t: &mut Topology| {
    ///     t.stream::<String, i64>("sales")
    ///         .group()
    ///         .windowed(TimeWindows::hopping(hour, hour / 2).grace(hour / 4))
    ///         .aggregate("per-hour", || 0_i64, |sum, pieces| *sum += pieces)
    ///         .to_stream()
    ///         .to("per-hour");
    /// });
    /// driver.topic("sales").at(10).send("tea".to_owned(), 2_i64);
    /// driver.topic("sales").at(1_800_000).send("tea".to_owned(), 3_i64);
    /// let sums = driver.topic::<Windowed<String>, i64>("per-hour").read();
    /// let sums: Vec<_> = sums.iter().map(|(window, sum)| (window.start, *sum)).collect();
    /// assert_eq!(sums, [(0, 2), (0, 5), (1_800_000, 3)]);
    /// ```
    pub fn aggregate<A: Data>(
        &self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        add: impl Fn(&mut A, &V) + 'static,
    ) -> Table<Windowed<K>, A> {
        self.table(
            store,
            Some(fold::aggregator(initial, vec![fold::adder(add)])),
        )
    }
}

impl<K: Data, V: Data> Sessions<K, V> {
    /// Nothing is sent before a session closes, a gap and the grace after its end; then its result
    /// is, once, by end, start and key bytes, with the timestamp of its end and the headers of the
    /// row whose time closed it. No tombstones. See [`WindowedGroup::emit_on_window_close`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Session, SessionWindows, Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("clicks")
    ///         .group()
    ///         .sessions(SessionWindows::gap(Duration::from_secs(60)))
    ///         .emit_on_window_close()
    ///         .count("visits")
    ///         .to_stream()
    ///         .to("visits");
    /// });
    /// for second in [0, 50, 200] {
    ///     driver.topic("clicks").at(second * 1000).send("ada".to_owned(), 1_i64);
    /// }
    /// let visits = driver.topic::<Session<String>, i64>("visits").read();
    /// assert_eq!((visits.len(), visits[0].0.end, visits[0].1), (1, 50_000, 2));
    /// ```
    pub fn emit_on_window_close(self) -> Sessions<K, V> {
        self.on_window_close()
    }

    /// A state for each key and session, in a store of this name: `initial`, and `add` for each
    /// row. `merge` makes one of two, the earlier one first, when a row closes the gap between
    /// them.
    ///
    /// As the [sessions](Sessions) say.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Session, SessionWindows, Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let minute = Duration::from_secs(60);
    ///     let visits = SessionWindows::gap(minute).grace(minute);
    ///     t.stream::<String, i64>("spent")
    ///         .group()
    ///         .sessions(visits)
    ///         .aggregate("visits", || 0_i64, |sum, n| *sum += n, |first, second| first + second)
    ///         .to_stream()
    ///         .to("visits");
    /// });
    /// for second in [0, 100, 50] {
    ///     driver.topic("spent").at(second * 1000).send("ada".to_owned(), 5_i64);
    /// }
    /// let visits = driver.topic::<Session<String>, i64>("visits").read();
    /// let visits: Vec<_> = visits.iter().map(|(key, sum)| (key.end, *sum)).collect();
    /// assert_eq!(visits, [(0, 5), (100_000, 5), (100_000, 15)]);
    /// ```
    pub fn aggregate<A: Data>(
        &self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        add: impl Fn(&mut A, &V) + 'static,
        merge: impl Fn(A, A) -> A + 'static,
    ) -> Table<Session<K>, A> {
        self.table(
            store,
            Some(fold::sessions(initial, vec![fold::adder(add)], merge)),
        )
    }
}

/// The aggregate of streams, and the table that it makes; `fold`: none, the host counts.
pub(super) fn aggregated<R: Data, A: Data>(
    graph: &Shared,
    inputs: Vec<Edge>,
    (window, emit): (Option<Window>, Emit),
    store: &str,
    fold: Option<Box<Fold>>,
) -> Table<R, A> {
    Table::aggregated(graph, inputs, store, fold, |aggregator, store| {
        Operator::Aggregate(Aggregate {
            aggregator,
            store,
            window,
            emit,
            skip_null_values: matches!(window, None | Some(Window::Sliding(_))),
        })
    })
}
