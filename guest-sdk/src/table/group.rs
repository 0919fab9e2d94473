//! Groups of a table: count, reduce and aggregate rows that may leave their group again.

use std::marker::PhantomData;
use std::rc::Rc;

use super::Table;
use crate::bindings::weir::service::topology::{Edge, Operator, TableAggregate, TableGroupBy};
use crate::fold;
use crate::format::Data;
use crate::function::Fold;
use crate::graph::Shared;
use crate::row::Row;

/// A table's rows under the keys of their groups. Whatever is made of it goes through the topic
/// `<service>-<store>-repartition`.
pub struct GroupedTable<K, V> {
    graph: Shared,
    edge: Edge,
    kinds: PhantomData<fn(K, V)>,
}

impl<K: Data, V: Data> Table<K, V> {
    /// The rows in groups: `group` says of each row its group and what of it is in there; `None`:
    /// it is in none. It must say the same of the same row, since it is asked again when the row
    /// changes, for the value that was there.
    ///
    /// - **Order**: a row that moves leaves its old group first, then enters the new one. Within a
    ///   group it is one update: subtract, then add.
    /// - **Timestamps**: the higher of the row's and the aggregate's.
    /// - **Nulls**: a deleted row leaves its group.
    /// - **State**: the table is kept, so that the value before is known. **Cost**: one call a
    ///   batch for both values, and a row of the repartition topic for each group that a row leaves
    ///   or enters.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.table::<String, String>("homes")
    ///         .group_by(|row| (row.value.clone(), row.key.clone()))
    ///         .count("people")
    ///         .to_stream()
    ///         .to("people-by-town");
    /// });
    /// for (who, town) in [("ada", "Rome"), ("bob", "Rome"), ("ada", "Oslo")] {
    ///     driver.topic("homes").send(who.to_owned(), town.to_owned());
    /// }
    /// let people = driver.topic::<String, i64>("people-by-town").read();
    /// let people: Vec<_> = people.iter().map(|(town, n)| (town.as_str(), *n)).collect();
    /// assert_eq!(people, [("Rome", 1), ("Rome", 2), ("Rome", 1), ("Oslo", 1)]);
    /// ```
    pub fn group_by<K2: Data, V2: Data, I: Into<Option<(K2, V2)>>>(
        &self,
        group: impl Fn(Row<'_, K, V>) -> I + 'static,
    ) -> GroupedTable<K2, V2> {
        let steps = self.rows().flat_map(move |row| group(row).into());
        let mut graph = self.graph.borrow_mut();
        let name = format!("{}-group-by", graph.name(self.edge));
        let function = graph.function(steps.function());
        let group_by = Operator::TableGroupBy(TableGroupBy { function });
        let edge = graph.node(&name, vec![self.edge], group_by);
        GroupedTable {
            graph: Rc::clone(&self.graph),
            edge,
            kinds: PhantomData,
        }
    }
}

impl<K: Data, V: Data> GroupedTable<K, V> {
    /// How many rows each group has, in a store of this name. A group that all rows have left has
    /// 0. The host counts; no closure is called.
    pub fn count(&self, store: &str) -> Table<K, i64> {
        self.aggregated(store, None)
    }

    /// The first value of each group, and what `add` makes of it and each later one that enters,
    /// and `subtract` of each that leaves.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.table::<String, i64>("balances")
    ///         .group_by(|row| (row.key[..2].to_owned(), *row.value))
    ///         .reduce("by-country", |sum, balance| sum + balance, |sum, balance| sum - balance)
    ///         .to_stream()
    ///         .to("by-country");
    /// });
    /// for (account, balance) in [("FR1", 10), ("FR2", 5), ("FR1", 1)] {
    ///     driver.topic("balances").send(account.to_owned(), balance as i64);
    /// }
    /// let sums = driver.topic::<String, i64>("by-country").read();
    /// let sums: Vec<i64> = sums.into_iter().map(|(_, sum)| sum).collect();
    /// assert_eq!(sums, [10, 15, 6]);
    /// ```
    pub fn reduce(
        &self,
        store: &str,
        add: impl Fn(V, &V) -> V + 'static,
        subtract: impl Fn(V, &V) -> V + 'static,
    ) -> Table<K, V> {
        self.aggregated(store, Some(fold::table_reducer(add, subtract)))
    }

    /// A state for each group: `initial`, `add` for each value that enters, and `subtract` for each
    /// that leaves.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.table::<String, String>("homes")
    ///         .group_by(|row| (row.value.clone(), row.key.clone()))
    ///         .aggregate(
    ///             "names",
    ///             Vec::new,
    ///             |names: &mut Vec<String>, name| names.push(name.clone()),
    ///             |names, name| names.retain(|other| other != name),
    ///         )
    ///         .to_stream()
    ///         .to("names-by-town");
    /// });
    /// driver.topic("homes").send("ada".to_owned(), "Rome".to_owned());
    /// driver.topic("homes").send("ada".to_owned(), "Oslo".to_owned());
    /// let names = driver.topic::<String, Vec<String>>("names-by-town").read();
    /// let one = |town: &str, names: &[&str]| {
    ///     (town.to_owned(), names.iter().map(|name| (*name).to_owned()).collect())
    /// };
    /// assert_eq!(names, [one("Rome", &["ada"]), one("Rome", &[]), one("Oslo", &["ada"])]);
    /// ```
    pub fn aggregate<A: Data>(
        &self,
        store: &str,
        initial: impl Fn() -> A + 'static,
        add: impl Fn(&mut A, &V) + 'static,
        subtract: impl Fn(&mut A, &V) + 'static,
    ) -> Table<K, A> {
        self.aggregated(store, Some(fold::table_aggregator(initial, add, subtract)))
    }

    fn aggregated<A: Data>(&self, store: &str, fold: Option<Box<Fold>>) -> Table<K, A> {
        Table::aggregated(
            &self.graph,
            vec![self.edge],
            store,
            fold,
            |aggregator, store| Operator::TableAggregate(TableAggregate { aggregator, store }),
        )
    }
}
