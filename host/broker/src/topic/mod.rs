//! A topic: its name, its settings and its partitions.

pub(crate) mod config;
mod watchers;

use uuid::Uuid;

pub(crate) use self::config::Config;
pub(crate) use self::watchers::{Watcher, Watchers};
use crate::log::Log;

/// A partition and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) log: Log,
    pub(crate) watchers: Watchers,
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) config: Config,
    pub(crate) partitions: Vec<Partition>,
    /// Until then its partitions have no leader yet, by the broker's clock.
    pub(crate) opens: i64,
    /// When its retention was last looked at.
    pub(crate) swept: i64,
}

impl Topic {
    /// An empty topic.
    pub(crate) fn new(id: Uuid, config: Config, partitions: usize) -> Self {
        let mut topic = Self {
            id,
            config,
            partitions: Vec::new(),
            opens: 0,
            swept: 0,
        };
        topic.grow(partitions);
        topic
    }

    /// Adds partitions up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        self.partitions
            .resize_with(count.max(self.partitions.len()), Partition::default);
    }
}

/// Whether Kafka takes this for a topic's name.
pub(crate) fn is_name(name: &str) -> bool {
    let is_legal = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    !name.is_empty()
        && name.len() <= 249
        && name != "."
        && name != ".."
        && name.bytes().all(is_legal)
}
