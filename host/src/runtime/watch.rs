//! Watches: queries that wait for a key to change.
//!
//! A query looks at a moment of committed state and registers every key that it reads; a commit
//! wakes the watchers of the keys that it changed *after* committed state shows the change, and
//! counts up a version. Whoever finds the version after the look to be another than before it looks
//! again; so no change falls between the look and the wait. A commit without watchers costs two
//! atomics.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use weir_core::store::StoreId;

/// What can be watched: a key of a store in one partition; without a key, the whole of it.
type Watched = (StoreId, u32, Option<Vec<u8>>);

/// A query's number, and how it is woken.
type Waiter = (u64, Arc<Notify>);

/// Keys that one query watches one by one.
const MAX_KEYS: usize = 10_000;

/// All watches of a service on this host.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watchers: Mutex<HashMap<Watched, Vec<Waiter>>>,
    registered: AtomicUsize,
    version: AtomicU64,
    next: AtomicU64,
}

/// One query's watches; gone when it is dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    watches: Arc<Watches>,
    number: u64,
    notify: Arc<Notify>,
    watched: Mutex<HashSet<Watched>>,
}

impl Watches {
    /// A query that watches nothing yet.
    pub(super) fn watcher(self: &Arc<Watches>) -> Watcher {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Watcher {
            watches: Arc::clone(self),
            number,
            notify: Arc::new(Notify::new()),
            watched: Mutex::default(),
        }
    }

    /// Taken before and after a look: where they differ, look again.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Whether anything is watched at all.
    fn any(&self) -> bool {
        self.registered.load(Ordering::SeqCst) > 0
    }

    /// Committed state shows these changes now.
    pub(super) fn changed<'a>(
        &self,
        partition: u32,
        keys: impl IntoIterator<Item = (StoreId, &'a [u8])>,
    ) {
        self.version.fetch_add(1, Ordering::SeqCst);
        if !self.any() {
            return;
        }
        let watchers = self.watchers.lock();
        for (store, key) in keys {
            for watched in [
                (store, partition, Some(key.to_vec())),
                (store, partition, None),
            ] {
                for (_, notify) in watchers.get(&watched).into_iter().flatten() {
                    notify.notify_one();
                }
            }
        }
    }

    /// Makes every watcher look again: a task came or went, or the functions are new ones.
    pub(super) fn wake_all(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
        for (_, notify) in self.watchers.lock().values().flatten() {
            notify.notify_one();
        }
    }
}

impl Watcher {
    /// From now on changes of this key (`None`: of any key of the store) wake it.
    pub(super) fn watch(&self, store: StoreId, partition: u32, key: Option<&[u8]>) {
        let mut mine = self.watched.lock();
        // Whoever reads very much watches all of it.
        let key = key.filter(|_| mine.len() < MAX_KEYS);
        let watched = (store, partition, key.map(<[u8]>::to_vec));
        if mine.contains(&watched) {
            return;
        }
        // Counted first: a commit that sees none registered is one that this watcher's look sees.
        self.watches.registered.fetch_add(1, Ordering::SeqCst);
        let mut watchers = self.watches.watchers.lock();
        let list = watchers.entry(watched.clone()).or_default();
        list.push((self.number, Arc::clone(&self.notify)));
        mine.insert(watched);
    }

    /// Until something that is watched has changed since this was last waited for.
    pub(super) async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mine = std::mem::take(self.watched.get_mut());
        let mut watchers = self.watches.watchers.lock();
        for watched in &mine {
            if let Some(list) = watchers.get_mut(watched) {
                list.retain(|(number, _)| *number != self.number);
                if list.is_empty() {
                    watchers.remove(watched);
                }
            }
        }
        self.watches
            .registered
            .fetch_sub(mine.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STORE: StoreId = StoreId(3);

    async fn wakes(watcher: &Watcher) -> bool {
        let wait = tokio::time::timeout(Duration::from_millis(20), watcher.changed());
        wait.await.is_ok()
    }

    #[tokio::test]
    async fn a_watcher_wakes_for_its_own_key_and_partition_only() {
        let watches = Arc::new(Watches::default());
        let watcher = watches.watcher();
        watcher.watch(STORE, 1, Some(b"a"));
        watches.changed(1, [(STORE, &b"b"[..])]);
        watches.changed(2, [(STORE, &b"a"[..])]);
        watches.changed(1, [(StoreId(4), &b"a"[..])]);
        assert!(!wakes(&watcher).await);
        watches.changed(1, [(STORE, &b"a"[..])]);
        assert!(wakes(&watcher).await);
        assert!(!wakes(&watcher).await, "once a change");
    }

    #[tokio::test]
    async fn a_change_between_the_look_and_the_wait_is_not_lost() {
        let watches = Arc::new(Watches::default());
        let watcher = watches.watcher();
        watcher.watch(STORE, 0, Some(b"a"));
        watches.changed(0, [(STORE, &b"a"[..])]);
        assert!(wakes(&watcher).await);
    }

    #[tokio::test]
    async fn hundreds_of_watchers_of_one_key_all_wake_and_leave_nothing_behind() {
        let watches = Arc::new(Watches::default());
        let watchers: Vec<_> = (0..500).map(|_| watches.watcher()).collect();
        watchers
            .iter()
            .for_each(|watcher| watcher.watch(STORE, 0, Some(b"a")));
        watches.changed(0, [(STORE, &b"a"[..])]);
        for watcher in &watchers {
            assert!(wakes(watcher).await);
        }
        drop(watchers);
        assert!(!watches.any() && watches.watchers.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_has_seen_a_range_wakes_for_any_key() {
        let watches = Arc::new(Watches::default());
        let watcher = watches.watcher();
        watcher.watch(STORE, 0, None);
        watches.changed(0, [(STORE, &b"anything"[..])]);
        assert!(wakes(&watcher).await);
    }
}
