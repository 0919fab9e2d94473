//! The topology that a service declares: where its streams, tables, stores and routes begin.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::bindings::weir::service::topology::{
    GlobalTable as GlobalTableNode, Operator, Table as TableNode,
};
use crate::config::Setting;
use crate::duration::milliseconds;
use crate::format::{Data, Half};
use crate::graph::{Graph, Shared};
use crate::route::{Route, Topic};
use crate::serdes::Serde;
use crate::state::Store;
use crate::stream::Stream;
use crate::table::{GlobalTable, Table};

/// What a service declares itself on.
pub struct Topology {
    graph: Shared,
}

impl Topology {
    pub(crate) fn new(config: Vec<(String, String)>) -> Topology {
        Topology {
            graph: Rc::new(RefCell::new(Graph::new(config))),
        }
    }

    /// A topic as a stream. A topic that is asked for twice is read once.
    ///
    /// - **Order**: that of each partition; a task takes of several topics the row with the lowest
    ///   time, of those that are there.
    /// - **Timestamps** and headers: as they are in the topic.
    /// - **Nulls** pass, until a closure reads them whose type has none.
    /// - No **state**; **cost**: nothing is read that no closure looks at.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("in").to("out");
    /// });
    /// driver.topic("in").send("ada".to_owned(), 7_i64);
    /// assert_eq!(driver.topic::<String, i64>("out").read(), [("ada".to_owned(), 7)]);
    /// ```
    pub fn stream<K: Data, V: Data>(&mut self, topic: &str) -> Stream<K, V> {
        let mut graph = self.graph.borrow_mut();
        let (edge, codecs) = (graph.source(topic), graph.codecs(topic));
        drop(graph);
        Stream::of(&self.graph, edge).reading(codecs)
    }

    /// A topic as a table: the latest value of each key. The store has the topic's name.
    ///
    /// - **Order**: each row is a change, in the order of the partition, whatever its time.
    /// - **Timestamps** and headers: as they are in the topic.
    /// - **Nulls**: a null value deletes the key; a row without a key is passed over.
    /// - **State**: an entry a key; the topic, which should be compacted, is its changelog.
    ///   **Cost**: a write a row.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let prices = t.table::<String, i64>("prices");
    ///     t.stream::<String, i64>("sold").join(&prices, |n, price| n * price).to("paid");
    /// });
    /// driver.topic("prices").send("tea".to_owned(), 3_i64);
    /// driver.topic("sold").send("tea".to_owned(), 2_i64);
    /// assert_eq!(driver.topic::<String, i64>("paid").read(), [("tea".to_owned(), 6)]);
    /// ```
    pub fn table<K: Data, V: Data>(&mut self, topic: &str) -> Table<K, V> {
        self.table_in(topic, topic)
    }

    /// As [`Topology::table`], with another name for the store.
    pub fn table_in<K: Data, V: Data>(&mut self, topic: &str, store: &str) -> Table<K, V> {
        if !self.graph.borrow_mut().codecs::<K, V>(topic).are_plain() {
            return self.stream(topic).to_table(store);
        }
        self.table_node(topic, store, None)
    }

    /// A topic as a table of versions, kept for `history`: a stream row that is joined with it
    /// meets the value that was valid at the row's own timestamp. The store has the topic's name.
    ///
    /// - **Order**: rows may come late by as much as the history; older ones are passed over.
    /// - **Nulls**: a tombstone is a version too.
    /// - **State**: the versions of each key within the history, and the latest one for ever.
    ///   **Cost**: two look-ups and a seek a row, a look-up and a seek a row that is joined.
    ///
    /// Only joins and [`changes`](Table::changes) take such a table, and its topic has no serde of
    /// its own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let day = Duration::from_secs(86_400);
    ///     let rates = t.table_with_history::<String, i64>("rates", day);
    ///     t.stream::<String, i64>("sales").join(&rates, |sale, rate| sale * rate).to("paid");
    /// });
    /// driver.topic("rates").at(10).send("eur".to_owned(), 2_i64);
    /// driver.topic("rates").at(20).send("eur".to_owned(), 3_i64);
    /// driver.topic("sales").at(15).send("eur".to_owned(), 7_i64);
    /// assert_eq!(driver.topic::<String, i64>("paid").read(), [("eur".to_owned(), 14)]);
    /// ```
    pub fn table_with_history<K: Data, V: Data>(
        &mut self,
        topic: &str,
        history: Duration,
    ) -> Table<K, V> {
        self.without_serde::<K, V>(topic, "a table with history");
        self.table_node(topic, topic, Some(milliseconds(history)))
    }

    fn table_node<K: Data, V: Data>(
        &mut self,
        topic: &str,
        store: &str,
        history: Option<i64>,
    ) -> Table<K, V> {
        let operator = Operator::Table(TableNode {
            topic: topic.to_owned(),
            store: Some(store.to_owned()),
            history,
        });
        let edge = self
            .graph
            .borrow_mut()
            .node(&format!("{store}-table"), Vec::new(), operator);
        Table::of(&self.graph, edge, store)
    }

    /// A topic as a table that every task has the whole of. The store has the topic's name.
    /// Its keys and values are in the format of their types: no serde of its own.
    ///
    /// It is read beside the streams, not in order with them: the latest value of each key that
    /// has been loaded; a null value deletes the key. **State**: an entry a key, once a host.
    /// **Cost**: every host reads the whole topic.
    ///
    /// See [`Stream::join_global`].
    pub fn global_table<K: Data, V: Data>(&mut self, topic: &str) -> GlobalTable<K, V> {
        self.without_serde::<K, V>(topic, "a global table");
        let operator = Operator::GlobalTable(GlobalTableNode {
            topic: topic.to_owned(),
            store: topic.to_owned(),
        });
        let name = format!("{topic}-global");
        GlobalTable::of(self.graph.borrow_mut().node(&name, Vec::new(), operator))
    }

    /// Refuses a topic that has a serde, where the host reads rows as they lie in it.
    fn without_serde<K: Data, V: Data>(&mut self, topic: &str, what: &str) {
        let mut graph = self.graph.borrow_mut();
        if !graph.codecs::<K, V>(topic).are_plain() {
            graph.mistakes.push(format!(
                "topic `{topic}`: {what} has no serde; write the topic anew in the plain format, \
                 or join a table"
            ));
        }
    }

    /// The format of a topic's values, if it is not the one of their type; say it before the topic
    /// is read or written. See [`crate::serdes`].
    pub fn value_serde<V: Data>(&mut self, topic: &str, serde: impl Serde<V>) {
        self.serde(topic, Half::Value, serde);
    }

    /// The same for keys. What depends on keys below is repartitioned: which partition a row lies
    /// in was decided by the bytes of another format.
    pub fn key_serde<K: Data>(&mut self, topic: &str, serde: impl Serde<K>) {
        self.serde(topic, Half::Key, serde);
    }

    fn serde<T: Data>(&mut self, topic: &str, half: Half, serde: impl Serde<T>) {
        let mut graph = self.graph.borrow_mut();
        if let Err(mistake) = graph.serdes.declare(topic, half, serde) {
            graph.mistakes.push(mistake);
        }
    }

    /// A key-value store that processors and routes share. It has a changelog.
    pub fn store<K: Data, V: Data>(&mut self, name: &str) -> Store<K, V> {
        Store::new(self.graph.borrow_mut().store(name, true))
    }

    /// A store without a changelog: it is lost when its task moves to another host.
    pub fn unlogged_store<K: Data, V: Data>(&mut self, name: &str) -> Store<K, V> {
        Store::new(self.graph.borrow_mut().store(name, false))
    }

    /// A topic that commands append to.
    pub fn topic<K: Data, V: Data>(&mut self, name: &str) -> Topic<K, V> {
        Topic::new(self.graph.borrow_mut().topic_handle(name))
    }

    /// A route for GET requests.
    pub fn get(&mut self, path: &str) -> Route {
        Route::new(&self.graph, "GET", path)
    }

    /// A route for POST requests.
    pub fn post(&mut self, path: &str) -> Route {
        Route::new(&self.graph, "POST", path)
    }

    /// A route for PUT requests.
    pub fn put(&mut self, path: &str) -> Route {
        Route::new(&self.graph, "PUT", path)
    }

    /// A route for DELETE requests.
    pub fn delete(&mut self, path: &str) -> Route {
        Route::new(&self.graph, "DELETE", path)
    }

    /// A setting that the operator may leave out.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn service(t: &mut weir::Topology) {
    /// let timeout = t.config_or("validation-timeout", Duration::from_secs(600));
    /// # }
    /// ```
    pub fn config_or<T: Setting>(&mut self, name: &str, default: T) -> T {
        self.config(name).unwrap_or(default)
    }

    /// A setting, if the operator has set it. What it cannot be read as is told when the service is
    /// loaded.
    pub fn config<T: Setting>(&mut self, name: &str) -> Option<T> {
        let mut graph = self.graph.borrow_mut();
        graph.settings.push(name.to_owned());
        let (_, text) = graph.config.iter().find(|(other, _)| other == name)?;
        let read = T::read(text);
        if read.is_none() {
            let mistake = format!("setting `{name}`: `{text}` is not {}", T::EXPECTED);
            graph.mistakes.push(mistake);
        }
        read
    }

    /// Says that the service cannot be declared under this configuration, and what to change.
    pub fn refuse(&mut self, reason: impl Into<String>) {
        self.graph.borrow_mut().mistakes.push(reason.into());
    }

    /// The graph, or all mistakes.
    pub(crate) fn finish(self) -> Result<Graph, String> {
        let mut graph = self.graph.replace(Graph::new(Vec::new()));
        let known = graph.settings.join("`, `");
        for (name, _) in &graph.config {
            if !graph.settings.contains(name) {
                let instead = match known.as_str() {
                    "" => "this service has none".to_owned(),
                    known => format!("this service has `{known}`"),
                };
                graph
                    .mistakes
                    .push(format!("no setting is called `{name}`; {instead}"));
            }
        }
        if graph.mistakes.is_empty() {
            Ok(graph)
        } else {
            Err(graph.mistakes.join("; "))
        }
    }
}
