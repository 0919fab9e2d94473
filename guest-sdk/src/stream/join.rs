//! Joins: with a table, with a global table, with another stream in a window of time.
//!
//! The host finds the pairs; the closures here make a value of each.

use std::time::Duration;

use super::Stream;
use crate::bindings::weir::service::records::{Column, Combined, Rejection};
use crate::bindings::weir::service::topology::{
    GlobalTableJoin, JoinKind, Operator, StreamJoin, TableJoin,
};
use crate::columns::{BatchRows, Rows};
use crate::duration::milliseconds;
use crate::format::{self, Data};
use crate::function::{Function, Outputs, Reject, row_number};
use crate::row::Item;
use crate::table::{GlobalTable, Table};

/// How far apart in time rows of two streams may be, and how long the join waits for late ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindows {
    before: Duration,
    after: Duration,
    grace: Duration,
}

impl JoinWindows {
    /// Rows at most `difference` apart, the one before the other or after it. No grace.
    pub fn within(difference: Duration) -> JoinWindows {
        JoinWindows {
            before: difference,
            after: difference,
            grace: Duration::ZERO,
        }
    }

    /// How far a row of the other stream may be before a row of this one.
    pub fn before(self, before: Duration) -> JoinWindows {
        JoinWindows { before, ..self }
    }

    /// How far a row of the other stream may be after a row of this one.
    pub fn after(self, after: Duration) -> JoinWindows {
        JoinWindows { after, ..self }
    }

    /// How long a late row is waited for.
    pub fn grace(self, grace: Duration) -> JoinWindows {
        JoinWindows { grace, ..self }
    }
}

impl<K: Data, V: Data> Stream<K, V> {
    /// Each row with the table's value of its key; rows without one go nowhere.
    ///
    /// The table is as it stands when the row's turn comes, whatever the times; a change of the
    /// table makes no row. Order, time and headers are the row's. Rows without key or value are
    /// passed over. No state but the table's; a read of it a key and batch, and a call a batch.
    /// Both topics have as many partitions.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let names = t.table::<String, String>("names");
    ///     t.stream::<String, i64>("in").join(&names, |n, name| format!("{name} {n}")).to("out");
    /// });
    /// driver.topic("in").send(ada(), 1_i64);
    /// driver.topic("names").send(ada(), "Ada".to_owned());
    /// driver.topic("in").send(ada(), 2_i64);
    /// assert_eq!(driver.topic::<String, String>("out").read(), [(ada(), "Ada 2".to_owned())]);
    /// ```
    pub fn join<V2: Data, R: Data>(
        &self,
        table: &Table<K, V2>,
        join: impl Fn(&V, &V2) -> R + 'static,
    ) -> Stream<K, R> {
        self.join_table(table, JoinKind::Inner, None, combine::<V, V2, R>(join))
    }

    /// As [`join`](Stream::join) with a [table of versions](crate::Topology::table_with_history),
    /// but each row first waits until stream time is `grace` past it, so that the table is up to
    /// its time.
    ///
    /// - **Order**: rows leave in the order of timestamp, then key bytes. One that is later than
    ///   the grace is joined at once.
    /// - **Timestamps** and headers are the row's own. Time is the stream time of the rows that
    ///   wait, so the last ones wait until later ones come.
    /// - **Nulls**: rows without a value, or without a key, go nowhere.
    /// - **State**: the rows that wait. **Cost**: a look-up and a seek a row, and those of the
    ///   join.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let rates = t.table_with_history::<String, i64>("rates", Duration::from_secs(60));
    ///     t.stream::<String, i64>("sales")
    ///         .join_with_grace(&rates, Duration::from_millis(10), |sale, rate| sale * rate)
    ///         .to("paid");
    /// });
    /// driver.topic("rates").at(1).send("eur".to_owned(), 2_i64);
    /// driver.topic("sales").at(5).send("eur".to_owned(), 7_i64);
    /// driver.topic("rates").at(4).send("eur".to_owned(), 3_i64);
    /// driver.topic("sales").at(15).send("usd".to_owned(), 1_i64);
    /// assert_eq!(driver.topic::<String, i64>("paid").read(), [("eur".to_owned(), 21)]);
    /// ```
    pub fn join_with_grace<V2: Data, R: Data>(
        &self,
        table: &Table<K, V2>,
        grace: Duration,
        join: impl Fn(&V, &V2) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine::<V, V2, R>(join);
        self.join_table(table, JoinKind::Inner, Some(grace), combine)
    }

    /// As [`left_join`](Stream::left_join), and waits as
    /// [`join_with_grace`](Stream::join_with_grace) does. A row without a key waits too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let rates = t.table_with_history::<String, i64>("rates", Duration::from_secs(60));
    ///     t.stream::<String, i64>("sales")
    ///         .left_join_with_grace(&rates, Duration::from_millis(10), |_, rate| rate.copied())
    ///         .to("rated");
    /// });
    /// for (at, sale) in [(5, 7_i64), (15, 1)] {
    ///     driver.topic("sales").at(at).send("eur".to_owned(), sale);
    /// }
    /// let rated = driver.topic::<String, Option<i64>>("rated").read();
    /// assert_eq!(rated, [("eur".to_owned(), None)]);
    /// ```
    pub fn left_join_with_grace<V2: Data, R: Data>(
        &self,
        table: &Table<K, V2>,
        grace: Duration,
        join: impl Fn(&V, Option<&V2>) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine_left::<V, V2, R>(join);
        self.join_table(table, JoinKind::Left, Some(grace), combine)
    }

    /// Each row with the table's value of its key, if there is one.
    ///
    /// As [`Stream::join`]; a row without a key is joined with nothing, one without a value is
    /// passed over.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let names = t.table::<String, String>("names");
    ///     t.stream::<String, i64>("in").left_join(&names, |_, name| name.cloned()).to("out");
    /// });
    /// driver.topic("in").send(ada(), 1_i64);
    /// assert_eq!(driver.topic::<String, Option<String>>("out").read(), [(ada(), None)]);
    /// ```
    pub fn left_join<V2: Data, R: Data>(
        &self,
        table: &Table<K, V2>,
        join: impl Fn(&V, Option<&V2>) -> R + 'static,
    ) -> Stream<K, R> {
        self.join_table(table, JoinKind::Left, None, combine_left::<V, V2, R>(join))
    }

    /// Each row with the value that the global table has for the key that `key` makes (`None`:
    /// nothing to look up); rows without one go nowhere.
    ///
    /// As [`Stream::join`], but no repartition: every task has the whole table, as it was
    /// committed when the batch began. Its memory and its load are once a host.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let names = t.global_table::<i64, String>("names");
    ///     t.stream::<String, i64>("in")
    ///         .join_global(&names, |row| *row.value, |_, name| name.clone())
    ///         .to("out");
    /// });
    /// driver.topic("names").send(7_i64, "seven".to_owned());
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<String, String>("out").read(), [(ada(), "seven".to_owned())]);
    /// ```
    pub fn join_global<GK: Data, GV: Data, R: Data, I: Into<Option<GK>>>(
        &self,
        table: &GlobalTable<GK, GV>,
        key: impl Fn(crate::Row<'_, K, V>) -> I + 'static,
        join: impl Fn(&V, &GV) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine::<V, GV, R>(join);
        self.join_global_table(table, JoinKind::Inner, key, combine)
    }

    /// The same for every row, whether the table has a value for it or not; a row without a value
    /// is passed over.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let names = t.global_table::<i64, String>("names");
    ///     t.stream::<String, i64>("in")
    ///         .left_join_global(&names, |row| *row.value, |_, name| name.cloned())
    ///         .to("out");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<String, Option<String>>("out").read(), [(ada(), None)]);
    /// ```
    pub fn left_join_global<GK: Data, GV: Data, R: Data, I: Into<Option<GK>>>(
        &self,
        table: &GlobalTable<GK, GV>,
        key: impl Fn(crate::Row<'_, K, V>) -> I + 'static,
        join: impl Fn(&V, Option<&GV>) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine_left::<V, GV, R>(join);
        self.join_global_table(table, JoinKind::Left, key, combine)
    }

    /// Pairs of rows of one key that are close in time. `name` names the join and its stores.
    ///
    /// A row is paired when it comes, with all partners that came before it, by time, then
    /// arrival. A pair's time is the higher of the two, its headers are those of the row at
    /// hand. Rows without key or value are passed over, but raise stream time. State: each
    /// side's rows, kept as long as a partner may come (before, after and grace); a row written
    /// and a range read for each row.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use weir::{Topology, testing::Driver, JoinWindows};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let near = JoinWindows::within(Duration::from_secs(5));
    ///     let other = t.stream::<String, i64>("b");
    ///     t.stream::<String, i64>("a").join_stream("near", &other, near, |a, b| a + b).to("out");
    /// });
    /// driver.topic("a").at(1_000).send(ada(), 1_i64);
    /// driver.topic("b").at(6_000).send(ada(), 2_i64);
    /// driver.topic("b").at(6_001).send(ada(), 3_i64);
    /// let sums = driver.topic::<String, i64>("out").receive();
    /// assert_eq!((sums.len(), sums[0].value, sums[0].timestamp), (1, 3, 6_000));
    /// ```
    pub fn join_stream<V2: Data, R: Data>(
        &self,
        name: &str,
        other: &Stream<K, V2>,
        windows: JoinWindows,
        join: impl Fn(&V, &V2) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine::<V, V2, R>(join);
        self.join_windows(name, other, windows, JoinKind::Inner, combine)
    }

    /// The same, and rows of this stream alone that found no partner until their window closed.
    ///
    /// Such a row leaves with its own time when a row at stream time finds it due; at once if it
    /// comes when its window has ended, grace or not, or without a key. State: also the rows that
    /// wait.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use weir::{Topology, testing::Driver, JoinWindows};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let near = JoinWindows::within(Duration::from_secs(5));
    ///     let other = t.stream::<String, i64>("b");
    ///     t.stream::<String, i64>("a")
    ///         .left_join_stream("near", &other, near, |_, b| b.copied())
    ///         .to("out");
    /// });
    /// driver.topic("a").at(1_000).send(ada(), 1_i64);
    /// driver.topic("b").at(9_000).send(ada(), 2_i64);
    /// assert_eq!(driver.topic::<String, Option<i64>>("out").read(), [(ada(), None)]);
    /// ```
    pub fn left_join_stream<V2: Data, R: Data>(
        &self,
        name: &str,
        other: &Stream<K, V2>,
        windows: JoinWindows,
        join: impl Fn(&V, Option<&V2>) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine_left::<V, V2, R>(join);
        self.join_windows(name, other, windows, JoinKind::Left, combine)
    }

    /// The same, and rows of either stream alone.
    ///
    /// Of rows due at one time, those of the other stream leave first. All else as
    /// [`Stream::left_join_stream`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use weir::{Topology, testing::Driver, JoinWindows};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let near = JoinWindows::within(Duration::from_secs(5));
    ///     let other = t.stream::<String, i64>("b");
    ///     t.stream::<String, i64>("a")
    ///         .outer_join_stream("near", &other, near, |a, b| (a.copied(), b.copied()))
    ///         .to("out");
    /// });
    /// driver.topic("b").at(1_000).send(ada(), 2_i64);
    /// driver.topic("a").at(9_000).send(ada(), 1_i64);
    /// let pairs = driver.topic::<String, (Option<i64>, Option<i64>)>("out").read();
    /// assert_eq!(pairs, [(ada(), (None, Some(2)))]);
    /// ```
    pub fn outer_join_stream<V2: Data, R: Data>(
        &self,
        name: &str,
        other: &Stream<K, V2>,
        windows: JoinWindows,
        join: impl Fn(Option<&V>, Option<&V2>) -> R + 'static,
    ) -> Stream<K, R> {
        let combine = combine_outer::<V, V2, R>(join);
        self.join_windows(name, other, windows, JoinKind::Outer, combine)
    }

    fn join_table<V2: Data, R: Data>(
        &self,
        table: &Table<K, V2>,
        kind: JoinKind,
        grace: Option<Duration>,
        combine: Function,
    ) -> Stream<K, R> {
        let inputs = vec![self.edge(), table.edge()];
        let mut graph = self.graph.borrow_mut();
        let name = format!("{}-join-{}", graph.name(inputs[0]), graph.name(inputs[1]));
        let join = Operator::StreamTableJoin(TableJoin {
            kind,
            function: graph.function(combine),
            grace: grace.map(milliseconds),
        });
        let edge = graph.node(&name, inputs, join);
        drop(graph);
        Stream::of(&self.graph, edge)
    }

    fn join_global_table<GK: Data, GV: Data, R: Data, I: Into<Option<GK>>>(
        &self,
        table: &GlobalTable<GK, GV>,
        kind: JoinKind,
        key: impl Fn(crate::Row<'_, K, V>) -> I + 'static,
        combine: Function,
    ) -> Stream<K, R> {
        let inputs = vec![self.edge(), table.edge()];
        let key = lookup::<K, V, GK>(move |row| key(row).into());
        let mut graph = self.graph.borrow_mut();
        let name = format!("{}-join-{}", graph.name(inputs[0]), graph.name(inputs[1]));
        let (key, function) = (graph.function(key), graph.function(combine));
        let join = Operator::GlobalTableJoin(GlobalTableJoin {
            kind,
            function,
            key,
        });
        let edge = graph.node(&name, inputs, join);
        drop(graph);
        Stream::of(&self.graph, edge)
    }

    fn join_windows<V2: Data, R: Data>(
        &self,
        name: &str,
        other: &Stream<K, V2>,
        windows: JoinWindows,
        kind: JoinKind,
        combine: Function,
    ) -> Stream<K, R> {
        let inputs = vec![self.edge(), other.edge()];
        let mut graph = self.graph.borrow_mut();
        let join = Operator::StreamStreamJoin(StreamJoin {
            kind,
            function: graph.function(combine),
            before: milliseconds(windows.before),
            after: milliseconds(windows.after),
            grace: milliseconds(windows.grace),
            left_store: format!("{name}-this-join-store"),
            right_store: format!("{name}-other-join-store"),
        });
        let edge = graph.node(name, inputs, join);
        drop(graph);
        Stream::of(&self.graph, edge)
    }
}

/// The joiner of an inner join.
pub(crate) fn combine<V: Data, V2: Data, R: Data>(
    join: impl Fn(&V, &V2) -> R + 'static,
) -> Function {
    combiner(move |left, right| {
        let right: V2 = format::decode_value(right).map_err(|error| error.within("right"))?;
        Ok(join(&format::decode_value(left)?, &right))
    })
}

/// The joiner of a left join.
pub(crate) fn combine_left<V: Data, V2: Data, R: Data>(
    join: impl Fn(&V, Option<&V2>) -> R + 'static,
) -> Function {
    combiner(move |left, right| {
        let right = side::<V2>(right).map_err(|error| error.within("right"))?;
        Ok(join(&format::decode_value(left)?, right.as_ref()))
    })
}

/// The joiner of an outer join.
pub(crate) fn combine_outer<V: Data, V2: Data, R: Data>(
    join: impl Fn(Option<&V>, Option<&V2>) -> R + 'static,
) -> Function {
    combiner(move |left, right| {
        let right = side::<V2>(right).map_err(|error| error.within("right"))?;
        Ok(join(side::<V>(left)?.as_ref(), right.as_ref()))
    })
}

/// One side of a join that may be missing.
fn side<V: Data>(bytes: Option<&[u8]>) -> Result<Option<V>, format::Error> {
    bytes
        .map(|bytes| format::decode_value(Some(bytes)))
        .transpose()
}

fn combiner<R: Data>(
    pair: impl Fn(Option<&[u8]>, Option<&[u8]>) -> Result<R, format::Error> + 'static,
) -> Function {
    Function::Combine(Box::new(move |keys, left, right| {
        let (lefts, rights) = (Rows::of(left), Rows::of(right));
        let mut combined = Combined {
            values: Column::with_room(keys.lengths.len(), 0),
            rejected: Vec::new(),
        };
        for row in 0..lefts.len() {
            let made = pair(lefts.get(row), rights.get(row)).and_then(|value| {
                combined
                    .values
                    .push_with(|out| format::encode_value(&value, out))
            });
            if let Err(error) = made {
                combined.values.push(None);
                combined.rejected.push(Rejection {
                    row: row_number(row),
                    reason: error.to_string(),
                });
            }
        }
        combined
    }))
}

/// The transform that makes the key to look up of each row.
pub(crate) fn lookup<K: Data, V: Data, GK: Data>(
    key: impl Fn(crate::Row<'_, K, V>) -> Option<GK> + 'static,
) -> Function {
    Function::Transform(Box::new(move |batch| {
        let rows = BatchRows::of(batch);
        let mut outputs = Outputs::like(batch);
        for row in 0..rows.len() {
            outputs.begin(row);
            let raw = rows.get(row);
            let mut item = Item::<K, V>::of(&raw);
            let result = item.row().and_then(|row| {
                let key = key(row);
                outputs.push(
                    |keys| Ok(keys.push_with(|out| format::encode_key(&key, out))?),
                    |values| {
                        values.push(None);
                        Ok::<(), Reject>(())
                    },
                    row.timestamp,
                )
            });
            outputs.end(result);
        }
        outputs.finish()
    }))
}
