//! Where streams end, or change their partition: topics.

use super::Stream;
use super::chain::port_of;
use crate::bindings::weir::service::topology::{Operator, Repartition};
use crate::format::Data;
use crate::function::Reject;
use crate::row::Row;
use crate::table::Table;

impl<K: Data, V: Data> Stream<K, V> {
    /// Rows to a topic, partitioned by their key as every Kafka client does.
    ///
    /// In order within a partition, with the row's time and headers; a null value is a
    /// tombstone, a row without a key goes to any partition. Written in the service's
    /// transaction. Reads nothing, unless the topic has a serde ([`crate::serdes`]).
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").to("out");
    /// });
    /// driver.topic("in").at(3).send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").receive()[0].timestamp, 3);
    /// ```
    pub fn to(&self, topic: &str) {
        let edge = self.writing(topic);
        let mut graph = self.graph.borrow_mut();
        graph.node(
            &format!("to-{topic}"),
            vec![edge],
            Operator::Sink(topic.to_owned()),
        );
    }

    /// Each row to the one of `topics` that `choose` names. A row whose topic is not among them is
    /// refused: it goes the way of the service's failure policy.
    ///
    /// Otherwise as [`Stream::to`]; reads both halves, so a null is refused where the type has
    /// none.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in")
    ///         .to_with(&["low", "high"], |row| if *row.value < 10 { "low" } else { "high" });
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<String, i64>("low").read(), [(ada(), 7)]);
    /// ```
    pub fn to_with<S: AsRef<str>>(
        &self,
        topics: &[&str],
        choose: impl Fn(Row<'_, K, V>) -> S + 'static,
    ) {
        let known: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let edge = self.materialise_ports("to-with", topics.len(), move |item| {
            let topic = choose(item.row()?);
            let topic = topic.as_ref();
            match known.iter().position(|known| known == topic) {
                Some(port) => Ok(Some(port)),
                None => Err(Reject(format!(
                    "no topic `{topic}`: rows go to one of {}",
                    known.join(", ")
                ))),
            }
        });
        for (port, topic) in topics.iter().enumerate() {
            let rows = Stream::<K, V>::of(&self.graph, port_of(edge, port));
            let (edge, sink) = (rows.writing(topic), Operator::Sink((*topic).to_owned()));
            let mut graph = self.graph.borrow_mut();
            graph.node(&format!("to-{topic}"), vec![edge], sink);
        }
    }

    /// Through the internal topic `<service>-<name>-repartition`, partitioned by key; as many
    /// partitions as what it meets below has.
    ///
    /// Time and headers stay; order and cost as [`Stream::rekey`]. Rows without a key are
    /// dropped, unless a left or outer join is below.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let numbers = t.stream::<String, i64>("in").select_key(|row| *row.value);
    ///     numbers.repartition("by-n").to("out");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.topic::<i64, i64>("out").read(), [(7, 7)]);
    /// ```
    pub fn repartition(&self, name: &str) -> Stream<K, V> {
        self.repartitioned(name, None)
    }

    /// The same with a number of partitions.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let numbers = t.stream::<String, i64>("in").select_key(|row| row.value % 2);
    ///     numbers.repartition_into(2, "by-parity").group().count("counts");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// assert_eq!(driver.store::<i64, i64>("counts"), [(1, 1)]);
    /// ```
    pub fn repartition_into(&self, partitions: u32, name: &str) -> Stream<K, V> {
        self.repartitioned(name, Some(partitions))
    }

    fn repartitioned(&self, name: &str, partitions: Option<u32>) -> Stream<K, V> {
        let edge = self.edge();
        let repartition = Operator::Repartition(Repartition {
            name: name.to_owned(),
            partitions,
        });
        let edge = self.graph.borrow_mut().node(name, vec![edge], repartition);
        Stream::of(&self.graph, edge)
    }

    /// The latest value of each key, in a store of this name.
    ///
    /// Every row is a change, in the order of rows, whatever its time; it is told on with the
    /// row's time and headers. Null deletes the key; rows without a key are passed over. State:
    /// the value's bytes a key, with a changelog, for ever. Nothing is read.
    ///
    /// ```
    /// # use weir::{Topology, testing::Driver};
    /// # let ada = || "ada".to_owned();
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let latest = t.stream::<String, i64>("in").to_table("latest");
    ///     latest.changes().to("out");
    /// });
    /// driver.topic("in").send(ada(), 7_i64);
    /// driver.topic("in").send(ada(), None::<i64>);
    /// let changes = driver.topic::<String, Option<i64>>("out").read();
    /// assert_eq!(changes, [(ada(), Some(7)), (ada(), None)]);
    /// assert!(driver.store::<String, i64>("latest").is_empty());
    /// ```
    pub fn to_table(&self, store: &str) -> Table<K, V> {
        let edge = self.edge();
        let operator = Operator::ToTable(Some(store.to_owned()));
        let edge = self.graph.borrow_mut().node(store, vec![edge], operator);
        Table::of(&self.graph, edge, store)
    }
}
