//! Owners: which host of the cluster runs which task, known to all of them from a compacted topic.
//!
//! A host claims a task when it runs it; the last claim holds. A claim may be out of date (its host
//! will say so when it is asked, or be gone), so whoever asks looks again until its time is up.
//! What is owned *here* is never decided by this table.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_core::task::TaskId;

use crate::kafka::{Cluster, Error, Partition, Publisher, Reader, Topic, Wake};

use super::mailbox::Mailbox;
use super::news::News;

/// How long the thread sleeps while nothing comes.
const IDLE: Duration = Duration::from_millis(500);

/// How long a claim of another host on a task of ours stands before it is answered.
const DISPUTE: Duration = Duration::from_secs(1);

/// The table of owners, and this host's claims.
pub(super) struct Owners {
    topic: String,
    address: String,
    owners: Mutex<BTreeMap<String, String>>,
    mine: Mutex<BTreeSet<String>>,
    pending: Mutex<VecDeque<String>>,
    mailbox: Arc<Mailbox<()>>,
    news: News,
    started: AtomicBool,
    stopping: AtomicBool,
}

impl Owners {
    /// Nothing is known yet, and nothing is asked of Kafka before [`Owners::start`]. `address`:
    /// where other hosts reach this one.
    pub(super) fn new(cluster: &str, address: &str, news: News) -> Owners {
        Owners {
            topic: format!("__weir.{cluster}.owners"),
            address: address.to_owned(),
            owners: Mutex::default(),
            mine: Mutex::default(),
            pending: Mutex::default(),
            mailbox: Arc::new(Mailbox::new(1)),
            news,
            started: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }
    }

    /// Begins to follow the topic, the first time that it is called.
    pub(super) fn start(self: &Arc<Owners>, cluster: &Arc<Cluster>) {
        if self.started.swap(true, Ordering::SeqCst) {
            return;
        }
        let (owners, cluster) = (Arc::clone(self), Arc::clone(cluster));
        let thread = std::thread::Builder::new().name("owners".to_owned());
        if let Err(error) = thread.spawn(move || owners.run(&cluster)) {
            tracing::error!(%error, "no thread for the owners: requests are not forwarded");
        }
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.mailbox.ring();
    }

    /// This host runs the task from now on.
    pub(super) fn claim(&self, service: &str, task: TaskId) {
        let key = key(service, task);
        self.mine.lock().insert(key.clone());
        self.pending.lock().push_back(key);
        self.mailbox.ring();
    }

    /// This host does not run the task any more.
    pub(super) fn release(&self, service: &str, task: TaskId) {
        self.mine.lock().remove(&key(service, task));
    }

    /// The address of the other host that runs the task, as far as is known.
    pub(super) fn elsewhere(&self, service: &str, task: TaskId) -> Option<String> {
        let owner = self.owners.lock().get(&key(service, task)).cloned();
        owner.filter(|address| *address != self.address)
    }

    fn run(&self, cluster: &Arc<Cluster>) {
        while !self.stopping.load(Ordering::SeqCst) {
            if let Err(error) = self.session(cluster) {
                tracing::debug!(%error, "the table of owners is read anew");
                std::thread::sleep(IDLE);
            }
        }
    }

    fn session(&self, cluster: &Arc<Cluster>) -> Result<(), Error> {
        cluster.ensure(&[Topic::compacted(self.topic.as_str(), 1)])?;
        let partition = Partition::new(self.topic.as_str(), 0);
        let mut publisher = Publisher::open(cluster)?;
        let mailbox = Arc::clone(&self.mailbox);
        let wake: Wake = Arc::new(move || mailbox.ring());
        let mut reader = Reader::new(cluster, wake);
        reader.add(&[(partition.clone(), None)])?;
        let mut disputes: BTreeMap<String, Instant> = BTreeMap::new();
        let mut polled = Vec::new();
        while !self.stopping.load(Ordering::SeqCst) {
            self.publish(&mut publisher, &partition)?;
            let more = reader.poll(10_000, &mut polled)?;
            for rows in polled.drain(..) {
                let pairs = rows.rows.keys.iter().zip(rows.rows.values.iter());
                for (key, value) in pairs.filter_map(|(key, value)| Some((key?, value?))) {
                    self.learn(key, value, &mut disputes);
                }
                self.news.tell();
            }
            self.settle(&mut disputes);
            if !more {
                let waiting = !reader.caught_up(&partition);
                self.mailbox.sleep(if waiting {
                    Duration::from_millis(20)
                } else {
                    IDLE
                });
            }
        }
        Ok(())
    }

    fn publish(&self, publisher: &mut Publisher, partition: &Partition) -> Result<(), Error> {
        loop {
            let Some(key) = self.pending.lock().front().cloned() else {
                return Ok(());
            };
            if self.mine.lock().contains(&key) {
                publisher.publish(partition, key.as_bytes(), Some(self.address.as_bytes()))?;
            }
            self.pending.lock().pop_front();
        }
    }

    fn learn(&self, key: &[u8], value: &[u8], disputes: &mut BTreeMap<String, Instant>) {
        let (Ok(key), Ok(address)) = (std::str::from_utf8(key), std::str::from_utf8(value)) else {
            return;
        };
        if address == self.address {
            disputes.remove(key);
        } else if self.mine.lock().contains(key) {
            disputes.entry(key.to_owned()).or_insert_with(Instant::now);
        }
        self.owners
            .lock()
            .insert(key.to_owned(), address.to_owned());
    }

    /// A claim on what is ours may have come late, from a host that was frozen. It is answered when
    /// it has stood for a while.
    fn settle(&self, disputes: &mut BTreeMap<String, Instant>) {
        disputes.retain(|key, since| {
            if since.elapsed() < DISPUTE {
                return true;
            }
            self.pending.lock().push_back(key.clone());
            false
        });
    }
}

fn key(service: &str, task: TaskId) -> String {
    format!("{service}/{task}")
}
