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
    pub fn to(&self, topic: &str) {
        let edge = self.edge();
        let mut graph = self.graph.borrow_mut();
        graph.node(
            &format!("to-{topic}"),
            vec![edge],
            Operator::Sink(topic.to_owned()),
        );
    }

    /// Each row to the one of `topics` that `choose` names. A row whose topic is not among them is
    /// refused: it goes the way of the service's failure policy.
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
        let mut graph = self.graph.borrow_mut();
        for (port, topic) in topics.iter().enumerate() {
            let sink = Operator::Sink((*topic).to_owned());
            graph.node(&format!("to-{topic}"), vec![port_of(edge, port)], sink);
        }
    }

    /// Through the internal topic `<service>-<name>-repartition`, partitioned by key; as many
    /// partitions as what it meets below has.
    pub fn repartition(&self, name: &str) -> Stream<K, V> {
        self.repartitioned(name, None)
    }

    /// The same with a number of partitions.
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
    pub fn to_table(&self, store: &str) -> Table<K, V> {
        let edge = self.edge();
        let operator = Operator::ToTable(Some(store.to_owned()));
        let edge = self.graph.borrow_mut().node(store, vec![edge], operator);
        Table::of(&self.graph, edge, store)
    }
}
