//! Those who wait for a partition to have more to read.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;

/// One who waits: a connection, with the bell that wakes it.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) connection: u64,
    pub(crate) bell: Arc<Notify>,
    /// It reads committed records only.
    pub(crate) is_committed_only: bool,
}

/// All who wait for one partition. Each is woken once and has to come again.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    waiting: HashMap<u64, (Weak<Notify>, bool)>,
}

impl Watchers {
    pub(crate) fn add(&mut self, watcher: &Watcher) {
        let entry = (Arc::downgrade(&watcher.bell), watcher.is_committed_only);
        self.waiting.insert(watcher.connection, entry);
    }

    /// There is more to read: for all, or only for those who read uncommitted records, too.
    pub(crate) fn wake(&mut self, is_committed: bool) {
        self.waiting.retain(|_, (bell, is_committed_only)| {
            if *is_committed_only && !is_committed {
                return true;
            }
            if let Some(bell) = bell.upgrade() {
                bell.notify_one();
            }
            false
        });
    }

    /// Forgets the connections that are gone.
    pub(crate) fn prune(&mut self) {
        self.waiting.retain(|_, (bell, _)| bell.strong_count() > 0);
    }
}
