//! Workers: each is a plain thread that owns tasks, their stores, one instance of the service, and
//! its own Kafka clients.
//!
//! A worker lives through sessions. A session has the clients and the tasks; when one of them
//! breaks it is dropped as a whole, and the next one starts from what is committed. What outlives a
//! session is the mailbox: requests wait in it, within their time.

mod commands;
mod commit;
mod dead_letter;
mod fault;
mod purge;
mod rebalance;
mod session;
mod tasks;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::letter::{Letter, Reply};
use super::mailbox::Mailbox;
use super::shared::{Shared, Site};

use fault::Fault;
use session::Session;

/// Pauses between two sessions.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A session that lasted this long has done away with what was counted of the ones before.
const GOOD: Duration = Duration::from_secs(60);

/// How often a worker may be fenced before it is taken for two workers with one name.
const FENCED: u32 = 5;

/// A worker, before it begins.
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) site: Arc<Site>,
    pub(super) mailbox: Arc<Mailbox<Letter>>,
}

impl Worker {
    /// Works until the service stops. `Err`: why it cannot go on.
    pub(super) fn run(self) -> Result<(), String> {
        let done = self.sessions();
        for letter in self.mailbox.close() {
            if let Letter::Command(asked) = letter {
                let _gone = asked.reply.send(Reply::Moved);
            }
        }
        done
    }

    fn sessions(&self) -> Result<(), String> {
        let mut pause = PAUSES.0;
        let mut fenced = 0;
        let mut queue = VecDeque::new();
        while !self.stopping() {
            let began = Instant::now();
            let fault = match Session::open(self, &mut queue).and_then(Session::work) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            if began.elapsed() > GOOD {
                (pause, fenced) = (PAUSES.0, 0);
            }
            let reason = match fault {
                Fault::Fail(reason) => return Err(reason),
                Fault::Fenced(reason) if fenced >= FENCED => return Err(reason),
                Fault::Fenced(reason) => {
                    fenced += 1;
                    reason
                }
                Fault::Abort(reason) | Fault::Restart(reason) => reason,
            };
            let (service, worker) = (&self.shared.name, self.number);
            tracing::warn!(service, worker, reason, "worker begins anew");
            self.shared.meters.restarts.increment(1);
            self.shared.interrupted(worker, Some(reason));
            self.rest(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
        Ok(())
    }

    /// Waits, unless the service stops.
    fn rest(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.stopping() && Instant::now() < end {
            self.mailbox
                .sleep(end.saturating_duration_since(Instant::now()));
        }
    }

    fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::SeqCst)
    }

    /// Its name in the group and towards the transaction coordinator: the same after a restart.
    fn identity(&self) -> String {
        let (host, service) = (&self.shared.host, &self.shared.name);
        format!(
            "{}.{service}.{}.{}",
            host.cluster_name, host.id, self.number
        )
    }
}
