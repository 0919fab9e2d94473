//! The driver's topics: rows by partition, as consumers of committed rows see them.

use std::collections::BTreeMap;

use crate::partitioner::{partition, partition_without_key};
use crate::record::Batch;

use super::Driver;

/// A row of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// `None`: no key.
    pub key: Option<Vec<u8>>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// In order; names may repeat.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Where it lies.
    pub partition: u32,
}

/// All topics. Rows of one partition are numbered from 0.
#[derive(Default)]
pub(super) struct Topics {
    partitions: BTreeMap<(String, u32), Vec<Row>>,
    /// Rows in the order in which they were committed, until a test has looked at them.
    unread: BTreeMap<String, Vec<Row>>,
}

impl Topics {
    pub(super) fn append(&mut self, topic: &str, row: Row) {
        self.unread
            .entry(topic.to_owned())
            .or_default()
            .push(row.clone());
        self.partitions
            .entry((topic.to_owned(), row.partition))
            .or_default()
            .push(row);
    }

    pub(super) fn end(&self, topic: &str, partition: u32) -> usize {
        self.partitions
            .get(&(topic.to_owned(), partition))
            .map_or(0, Vec::len)
    }

    /// Rows from an offset on, with their offsets.
    pub(super) fn read(&self, topic: &str, partition: u32, from: usize) -> (Batch, Vec<i64>) {
        let mut batch = Batch::default();
        let mut offsets = Vec::new();
        let rows = self.partitions.get(&(topic.to_owned(), partition));
        for (offset, row) in rows.into_iter().flatten().enumerate().skip(from) {
            push(&mut batch, row);
            offsets.push(i64::try_from(offset).expect("a test has few rows"));
        }
        (batch, offsets)
    }

    pub(super) fn take_unread(&mut self, topic: &str) -> Vec<Row> {
        self.unread.remove(topic).unwrap_or_default()
    }
}

pub(super) fn push(batch: &mut Batch, row: &Row) {
    let headers = row
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()));
    batch.push_with_headers(
        row.key.as_deref(),
        row.value.as_deref(),
        row.timestamp,
        headers,
    );
}

/// Row `row` of a batch, for a partition.
pub(super) fn row_of(batch: &Batch, row: usize, partition: u32) -> Row {
    let headers = batch.headers.iter().flat_map(|headers| headers.row(row));
    Row {
        key: batch.keys.get(row).map(<[u8]>::to_vec),
        value: batch.values.get(row).map(<[u8]>::to_vec),
        timestamp: batch.timestamps[row],
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
        partition,
    }
}

/// Where a test writes rows: `driver.input("orders").at(10).send(Some(b"k"), Some(b"v"))`.
pub struct Input<'d> {
    pub(super) driver: &'d mut Driver,
    pub(super) topic: String,
    pub(super) timestamp: Option<i64>,
    pub(super) partition: Option<u32>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Input<'_> {
    /// With this timestamp, in milliseconds; without it, the driver's clock.
    pub fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// With a header more.
    pub fn header(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), Some(value.to_vec())));
        self
    }

    /// To this partition; without it, where Kafka's clients would put it.
    pub fn partition(mut self, partition: u32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Writes the row and lets the engine work until it stands still.
    pub fn send(self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let driver = self.write(key, value);
        driver.run();
    }

    /// Writes the row, which waits for [`Driver::run`]: so several are taken as one batch.
    pub fn queue(self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.write(key, value);
    }
}

impl<'d> Input<'d> {
    fn write(self, key: Option<&[u8]>, value: Option<&[u8]>) -> &'d mut Driver {
        let Input {
            driver,
            topic,
            timestamp,
            partition: chosen,
            headers,
        } = self;
        let count = driver.partitions(&topic);
        let keyless = || {
            partition_without_key(
                u64::try_from(driver.topics.end(&topic, 0)).unwrap_or_default(),
                count,
            )
        };
        let partition =
            chosen.unwrap_or_else(|| key.map_or_else(keyless, |key| partition(key, count)));
        let timestamp = timestamp.unwrap_or(driver.now.0);
        let row = Row {
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            timestamp,
            headers,
            partition,
        };
        driver.topics.append(&topic, row);
        driver
    }
}
