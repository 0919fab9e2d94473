//! Global tables: topics of which every host has the whole, followed by one thread a service.
//!
//! The tables are made anew at each start (a topic of several partitions has no single offset to go
//! on from), and no worker begins before they are whole. After that they are followed: tasks and
//! queries see what is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weir_core::restore;
use weir_core::store::{Backend, StoreId};
use weir_core::topology::Changelog;

use crate::kafka::{Error, Partition, Reader, Rows, Wake};
use crate::state::{GLOBAL, TaskState};

use super::mailbox::Mailbox;
use super::shared::{Shared, Site};

/// Rows of one partition that are taken at once.
const ROWS: usize = 10_000;

/// How long the thread sleeps while nothing comes, and while it catches up.
const SLEEPS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(10));

/// Follows the global tables of a service.
pub(super) struct Globals {
    shared: Arc<Shared>,
    state: TaskState,
    stores: Vec<(StoreId, String)>,
    /// The next offset of each partition.
    next: BTreeMap<Partition, Option<i64>>,
    mailbox: Arc<Mailbox<()>>,
    reader: Reader,
}

impl Globals {
    /// The global tables, emptied; `None`: the service has none.
    pub(super) fn open(shared: &Arc<Shared>, site: &Site) -> Result<Option<Globals>, String> {
        let topology = Arc::clone(&shared.blueprint().topology);
        let global = |(id, spec): (StoreId, &weir_core::topology::StoreSpec)| match &spec.changelog
        {
            Changelog::Source(topic) | Changelog::Own(topic) if spec.global => {
                Some((id, topic.clone()))
            }
            _ => None,
        };
        let stores: Vec<_> = (0..)
            .map(StoreId)
            .zip(topology.stores())
            .filter_map(global)
            .collect();
        if stores.is_empty() {
            return Ok(None);
        }
        let state = site.database.task(GLOBAL, topology.stores());
        let mut state = state.map_err(|error| error.to_string())?;
        let mut next = BTreeMap::new();
        for (store, topic) in &stores {
            state.wipe(*store).map_err(|error| error.to_string())?;
            let partitions = site.plan.partitions[topic];
            next.extend(
                (0..partitions).map(|number| (Partition::new(topic.as_str(), number), None)),
            );
        }
        let mailbox = Arc::new(Mailbox::new(1));
        let reader = reader(shared, &mailbox);
        let shared = Arc::clone(shared);
        Ok(Some(Globals {
            shared,
            state,
            stores,
            next,
            mailbox,
            reader,
        }))
    }

    /// Reads until the tables are whole. `Err`: try again.
    pub(super) fn bootstrap(&mut self) -> Result<(), String> {
        self.begin().map_err(|error| error.to_string())?;
        while !self.reader.all_caught_up() && !self.stopping() {
            if !self.turn()? {
                self.mailbox.sleep(SLEEPS.1);
            }
        }
        Ok(())
    }

    /// Follows the tables until the service stops.
    pub(super) fn follow(mut self) {
        while !self.stopping() {
            let done = self.turn().map(|busy| {
                if !busy {
                    self.mailbox.sleep(SLEEPS.0);
                }
            });
            if let Err(reason) = done {
                tracing::warn!(
                    service = self.shared.name,
                    reason,
                    "global tables are read anew"
                );
                std::thread::sleep(SLEEPS.0);
                self.reader = reader(&self.shared, &self.mailbox);
                if let Err(error) = self.begin() {
                    tracing::debug!(%error, "global tables");
                }
            }
        }
    }

    fn begin(&mut self) -> Result<(), Error> {
        let starts: Vec<_> = self
            .next
            .iter()
            .map(|(partition, next)| (partition.clone(), *next))
            .collect();
        self.reader.add(&starts)
    }

    fn turn(&mut self) -> Result<bool, String> {
        let mut polled = Vec::new();
        let more = self
            .reader
            .poll(ROWS, &mut polled)
            .map_err(|error| error.to_string())?;
        for rows in &polled {
            self.take(rows).map_err(|error| error.to_string())?;
        }
        Ok(more || !polled.is_empty())
    }

    fn take(&mut self, rows: &Rows) -> Result<(), weir_core::store::Error> {
        let next = rows.offsets.last().map_or(0, |offset| offset + 1);
        for (store, topic) in self
            .stores
            .iter()
            .filter(|(_, topic)| **topic == *rows.topic)
        {
            let mut writes = restore::writes(&rows.rows, next);
            writes.changelog_end = None;
            self.state.commit(&[(*store, writes)])?;
            let keys = rows.rows.keys.iter().flatten().map(|key| (*store, key));
            self.shared.watches.changed(GLOBAL, keys);
            self.next
                .insert(Partition::new(topic.as_str(), rows.partition), Some(next));
        }
        Ok(())
    }

    fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::SeqCst)
    }
}

fn reader(shared: &Shared, mailbox: &Arc<Mailbox<()>>) -> Reader {
    let mailbox = Arc::clone(mailbox);
    let wake: Wake = Arc::new(move || mailbox.ring());
    Reader::new(&shared.host.cluster, wake)
}
