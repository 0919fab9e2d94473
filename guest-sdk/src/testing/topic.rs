//! Topics of the driver, with the types of their rows.

use std::marker::PhantomData;

use weir_core::testing as engine;

use super::Driver;
use crate::format::Data;

/// A topic under test.
#[must_use = "send a row, or read them"]
pub struct Topic<'d, K, V> {
    driver: &'d mut Driver,
    name: String,
    timestamp: Option<i64>,
    partition: Option<u32>,
    headers: Vec<(String, Vec<u8>)>,
    kinds: PhantomData<fn(K, V)>,
}

/// A row that came out, and all that is about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Received<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// In order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Where it lies.
    pub partition: u32,
}

impl<'d, K: Data, V: Data> Topic<'d, K, V> {
    pub(super) fn new(driver: &'d mut Driver, name: &str) -> Topic<'d, K, V> {
        Topic {
            driver,
            name: name.to_owned(),
            timestamp: None,
            partition: None,
            headers: Vec::new(),
            kinds: PhantomData,
        }
    }

    /// With this timestamp, milliseconds since the epoch; without it, the driver's clock.
    pub fn at(mut self, timestamp: i64) -> Topic<'d, K, V> {
        self.timestamp = Some(timestamp);
        self
    }

    /// With a header more.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Topic<'d, K, V> {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// To this partition; without it, where Kafka's clients would put the key.
    pub fn partition(mut self, partition: u32) -> Topic<'d, K, V> {
        self.partition = Some(partition);
        self
    }

    /// Writes a row and lets the engine work until it stands still.
    #[track_caller]
    pub fn send(self, key: K, value: V) {
        self.write(&key, &value, true);
    }

    /// Writes a row that waits for [`Driver::run`], so that several are taken as one batch.
    #[track_caller]
    pub fn queue(self, key: K, value: V) {
        self.write(&key, &value, false);
    }

    /// Writes bytes as they are, whatever the types say; `None` is null.
    pub fn send_bytes(self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.input().send(key, value);
    }

    /// The rows that were committed since the last look.
    #[track_caller]
    pub fn read(self) -> Vec<(K, V)> {
        let rows = self.receive();
        rows.into_iter().map(|row| (row.key, row.value)).collect()
    }

    /// The same with times, headers and partitions.
    #[track_caller]
    pub fn receive(self) -> Vec<Received<K, V>> {
        let name = self.name;
        let codecs = self.driver.codecs::<K, V>(&name);
        let rows = self.driver.engine.output(&name);
        let received = |row: engine::Row| {
            let (key, value) = codecs
                .read(row.key.as_deref(), row.value.as_deref())
                .unwrap_or_else(|error| panic!("topic `{name}`: {error}"));
            Received {
                key,
                value,
                timestamp: row.timestamp,
                headers: row.headers,
                partition: row.partition,
            }
        };
        rows.into_iter().map(received).collect()
    }

    #[track_caller]
    fn write(self, key: &K, value: &V, run: bool) {
        let codecs = self.driver.codecs::<K, V>(&self.name);
        let [key, value] = codecs
            .write(key, value)
            .unwrap_or_else(|error| panic!("a row to send: {error}"));
        let (key, value) = (key.as_deref(), value.as_deref());
        let input = self.input();
        if run {
            input.send(key, value);
        } else {
            input.queue(key, value);
        }
    }

    fn input(self) -> engine::Input<'d> {
        let mut input = self.driver.engine.input(&self.name);
        if let Some(timestamp) = self.timestamp {
            input = input.at(timestamp);
        }
        if let Some(partition) = self.partition {
            input = input.partition(partition);
        }
        for (name, value) in &self.headers {
            input = input.header(name, value);
        }
        input
    }
}
