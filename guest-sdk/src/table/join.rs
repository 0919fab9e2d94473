//! Joins of tables: by the same key, and by a foreign key.

use super::Table;
use crate::bindings::weir::service::topology::{
    ForeignKeyJoin, JoinKind, Operator, TableTableJoin,
};
use crate::format::Data;
use crate::function::Function;
use crate::stream::join::{combine, combine_left, combine_outer, lookup};

impl<K: Data, V: Data> Table<K, V> {
    /// The keys that both tables have, each with what `join` makes of both values.
    ///
    /// - **Order**: a change of either table meets the other's value as it is then; one row for
    ///   each change, in their order.
    /// - **Timestamps**: the higher of the two rows'. Headers are those of the changed row.
    /// - **Nulls**: a delete on either side is sent as a tombstone if the other side has the key.
    /// - **State**: both tables are kept, the result only under [`stored_as`](Table::stored_as).
    ///   **Cost**: a look-up a row, and a call a batch.
    /// - Their topics need the same number of partitions.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let prices = t.table::<String, i64>("prices");
    ///     let stock = t.table::<String, i64>("stock");
    ///     prices.join(&stock, |price, pieces| price * pieces).changes().to("worth");
    /// });
    /// driver.topic("prices").send("tea".to_owned(), 3_i64);
    /// driver.topic("stock").send("tea".to_owned(), 10_i64);
    /// driver.topic::<String, Option<i64>>("prices").send("tea".to_owned(), None);
    /// let worth = driver.topic::<String, Option<i64>>("worth").read();
    /// assert_eq!(worth, [("tea".to_owned(), Some(30)), ("tea".to_owned(), None)]);
    /// ```
    pub fn join<V2: Data, R: Data>(
        &self,
        other: &Table<K, V2>,
        join: impl Fn(&V, &V2) -> R + 'static,
    ) -> Table<K, R> {
        self.join_table(other, JoinKind::Inner, combine::<V, V2, R>(join))
    }

    /// As [`join`](Table::join), with all keys of this table, whether the other has them or not.
    /// What was there before is known, so nothing is sent for a delete of nothing.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let prices = t.table::<String, i64>("prices");
    ///     let stock = t.table::<String, i64>("stock");
    ///     let worth = prices.left_join(&stock, |price, pieces| price * pieces.unwrap_or(&0));
    ///     worth.to_stream().to("worth");
    /// });
    /// driver.topic("prices").send("tea".to_owned(), 3_i64);
    /// driver.topic("stock").send("tea".to_owned(), 10_i64);
    /// let worth = driver.topic::<String, i64>("worth").read();
    /// assert_eq!(worth, [("tea".to_owned(), 0), ("tea".to_owned(), 30)]);
    /// ```
    pub fn left_join<V2: Data, R: Data>(
        &self,
        other: &Table<K, V2>,
        join: impl Fn(&V, Option<&V2>) -> R + 'static,
    ) -> Table<K, R> {
        self.join_table(other, JoinKind::Left, combine_left::<V, V2, R>(join))
    }

    /// As [`left_join`](Table::left_join), with all keys of both tables.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let (asked, paid) = (t.table::<String, i64>("asked"), t.table::<String, i64>("paid"));
    ///     let open = asked.outer_join(&paid, |asked, paid| {
    ///         asked.copied().unwrap_or(0) - paid.copied().unwrap_or(0)
    ///     });
    ///     open.to_stream().to("open");
    /// });
    /// driver.topic("paid").send("ada".to_owned(), 5_i64);
    /// driver.topic("asked").send("ada".to_owned(), 7_i64);
    /// let open = driver.topic::<String, i64>("open").read();
    /// assert_eq!(open, [("ada".to_owned(), -5), ("ada".to_owned(), 2)]);
    /// ```
    pub fn outer_join<V2: Data, R: Data>(
        &self,
        other: &Table<K, V2>,
        join: impl Fn(Option<&V>, Option<&V2>) -> R + 'static,
    ) -> Table<K, R> {
        self.join_table(other, JoinKind::Outer, combine_outer::<V, V2, R>(join))
    }

    /// The rows of this table whose `key` names a row of the other one, each with what `join` makes
    /// of both values. `None`: it names none.
    ///
    /// - **Order**: of this table's rows as they changed; a change of the other table's row updates
    ///   all rows that name it, in the order of their key bytes.
    /// - **Timestamps**: the higher of the two rows' where this table's row caused it; the other
    ///   row's own where that did, even if it is lower.
    /// - **Nulls**: a tombstone where a row is deleted, or names another row that is not there.
    /// - **State**: both tables, and a subscription for each row that names one, kept beside the
    ///   other table. **Cost**: two repartition topics, `<service>-<name>-subscription-repartition`
    ///   and `<service>-<name>-answer-repartition`, so a result comes two transactions later; a
    ///   look-up on each side, and a seek for each change of the other table.
    /// - The tables may have different numbers of partitions.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let songs = t.table::<String, i64>("songs");
    ///     let singers = t.table::<i64, String>("singers");
    ///     songs
    ///         .foreign_key_join("sung", &singers, |singer| *singer, |_, name| name.clone())
    ///         .to_stream()
    ///         .to("sung-by");
    /// });
    /// driver.topic("singers").send(7_i64, "Nina".to_owned());
    /// driver.topic("songs").send("Sinnerman".to_owned(), 7_i64);
    /// driver.topic("singers").send(7_i64, "Nina Simone".to_owned());
    /// let sung = driver.topic::<String, String>("sung-by").read();
    /// let sung: Vec<&str> = sung.iter().map(|(_, by)| by.as_str()).collect();
    /// assert_eq!(sung, ["Nina", "Nina Simone"]);
    /// ```
    pub fn foreign_key_join<K2: Data, V2: Data, R: Data, I: Into<Option<K2>>>(
        &self,
        name: &str,
        other: &Table<K2, V2>,
        key: impl Fn(&V) -> I + 'static,
        join: impl Fn(&V, &V2) -> R + 'static,
    ) -> Table<K, R> {
        let combine = combine::<V, V2, R>(join);
        self.join_foreign(name, other, JoinKind::Inner, key, combine)
    }

    /// As [`foreign_key_join`](Table::foreign_key_join), with all rows of this table, whether they
    /// name a row that is there or not.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let songs = t.table::<String, Option<i64>>("songs");
    ///     let singers = t.table::<i64, String>("singers");
    ///     let by = |_: &_, name: Option<&String>| name.cloned().unwrap_or("nobody".to_owned());
    ///     songs
    ///         .left_foreign_key_join("sung", &singers, |singer| *singer, by)
    ///         .to_stream()
    ///         .to("sung-by");
    /// });
    /// driver.topic("songs").send("Sinnerman".to_owned(), Some(7_i64));
    /// driver.topic("singers").send(7_i64, "Nina".to_owned());
    /// let sung = driver.topic::<String, String>("sung-by").read();
    /// let sung: Vec<&str> = sung.iter().map(|(_, by)| by.as_str()).collect();
    /// assert_eq!(sung, ["nobody", "Nina"]);
    /// ```
    pub fn left_foreign_key_join<K2: Data, V2: Data, R: Data, I: Into<Option<K2>>>(
        &self,
        name: &str,
        other: &Table<K2, V2>,
        key: impl Fn(&V) -> I + 'static,
        join: impl Fn(&V, Option<&V2>) -> R + 'static,
    ) -> Table<K, R> {
        let combine = combine_left::<V, V2, R>(join);
        self.join_foreign(name, other, JoinKind::Left, key, combine)
    }

    fn join_table<V2: Data, R: Data>(
        &self,
        other: &Table<K, V2>,
        kind: JoinKind,
        combine: Function,
    ) -> Table<K, R> {
        let inputs = vec![self.edge, other.edge];
        let mut graph = self.graph.borrow_mut();
        let name = format!("{}-join-{}", graph.name(inputs[0]), graph.name(inputs[1]));
        let join = Operator::TableTableJoin(TableTableJoin {
            kind,
            function: graph.function(combine),
            store: None,
        });
        let edge = graph.node(&name, inputs, join);
        drop(graph);
        Table::unnamed(&self.graph, edge)
    }

    fn join_foreign<K2: Data, V2: Data, R: Data, I: Into<Option<K2>>>(
        &self,
        name: &str,
        other: &Table<K2, V2>,
        kind: JoinKind,
        key: impl Fn(&V) -> I + 'static,
        combine: Function,
    ) -> Table<K, R> {
        let key = lookup::<K, V, K2>(move |row| key(row.value).into());
        let mut graph = self.graph.borrow_mut();
        let join = Operator::ForeignKeyJoin(ForeignKeyJoin {
            kind,
            function: graph.function(combine),
            foreign_key: graph.function(key),
            store: None,
        });
        let edge = graph.node(name, vec![self.edge, other.edge], join);
        drop(graph);
        Table::unnamed(&self.graph, edge)
    }
}
