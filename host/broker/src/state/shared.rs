//! The state behind its lock, with the storage below it and those who wait above it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{Effects, State};
use crate::code::Code;
use crate::config::Settings;
use crate::error::Error;
use crate::group::{Answer, Answers, Joined, Refused, Ticket};
use crate::storage::Store;

/// The storage has failed; nothing more is answered.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the broker has stopped, since its storage failed")]
pub(crate) struct Stopped;

/// What all connections share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) store: Box<dyn Store>,
    pub(crate) settings: Settings,
    waiting: Mutex<Waiting>,
    tickets: AtomicU64,
    has_failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Turns true when the broker ends.
    pub(crate) end: watch::Sender<bool>,
}

/// Requests that wait for their group.
#[derive(Default)]
struct Waiting {
    joins: HashMap<Ticket, oneshot::Sender<Result<Joined, Refused>>>,
    syncs: HashMap<Ticket, oneshot::Sender<Result<Bytes, Code>>>,
}

impl Shared {
    pub(crate) fn new(mut state: State, store: Box<dyn Store>, settings: Settings) -> Self {
        state.set_cache(settings.cache_bytes);
        Self {
            state: Mutex::new(state),
            store,
            settings,
            waiting: Mutex::default(),
            tickets: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            end: watch::Sender::new(false),
        }
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }

    /// Looks at the state, and may leave word of those who wait for it; nothing kept changes.
    pub(crate) fn watch<T>(&self, watch: impl FnOnce(&mut State) -> T) -> T {
        watch(&mut self.state.lock())
    }

    /// Changes the state, stores the changes, and answers those who waited for them. The lock is
    /// held until all is stored, so the storage sees changes in their order and no reader sees one
    /// that is not stored.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut State, &mut Effects) -> T,
    ) -> Result<T, Stopped> {
        let mut effects = Effects {
            is_durable: self.store.is_durable(),
            ..Effects::default()
        };
        let mut state = self.state.lock();
        if self.has_failed.load(Ordering::Acquire) {
            return Err(Stopped);
        }
        let result = change(&mut state, &mut effects);
        if let Err(error) = self.store.write(&effects.changes) {
            return Err(self.fail(error));
        }
        drop(state);
        self.answer(effects.answers);
        Ok(result)
    }

    /// The storage has failed: ends the broker.
    pub(crate) fn fail(&self, error: Error) -> Stopped {
        tracing::error!(%error, "the storage failed, the broker stops");
        self.has_failed.store(true, Ordering::Release);
        self.failure.lock().get_or_insert(error);
        self.end.send_replace(true);
        Stopped
    }

    /// Why the broker stopped by itself.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }

    fn answer(&self, mut answers: Answers) {
        let answers = answers.take();
        if answers.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock();
        for answer in answers {
            // Who has gone meanwhile needs no answer.
            match answer {
                Answer::Join(ticket, result) => {
                    if let Some(sender) = waiting.joins.remove(&ticket) {
                        let _ = sender.send(result);
                    }
                }
                Answer::Sync(ticket, result) => {
                    if let Some(sender) = waiting.syncs.remove(&ticket) {
                        let _ = sender.send(result);
                    }
                }
            }
        }
    }

    /// A ticket for one who will wait to join.
    pub(crate) fn wait_to_join(&self) -> (Ticket, oneshot::Receiver<Result<Joined, Refused>>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.ticket();
        self.waiting.lock().joins.insert(ticket, sender);
        (ticket, receiver)
    }

    /// A ticket for one who will wait for an assignment.
    pub(crate) fn wait_to_sync(&self) -> (Ticket, oneshot::Receiver<Result<Bytes, Code>>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.ticket();
        self.waiting.lock().syncs.insert(ticket, sender);
        (ticket, receiver)
    }

    /// Forgets the tickets of those who have gone.
    pub(crate) fn forget_gone(&self) {
        let mut waiting = self.waiting.lock();
        waiting.joins.retain(|_, sender| !sender.is_closed());
        waiting.syncs.retain(|_, sender| !sender.is_closed());
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }
}

/// The broker's clock, for records: milliseconds since 1970.
pub(crate) fn clock() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The broker's clock, for sessions: it never goes back.
pub(crate) fn moment() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use uuid::Uuid;

    use super::*;
    use crate::storage::{Changes, See, Table};

    /// A storage whose disk is full.
    struct Full;

    impl Store for Full {
        fn is_durable(&self) -> bool {
            true
        }

        fn write(&self, changes: &Changes) -> Result<(), Error> {
            if changes.is_empty() {
                return Ok(());
            }
            let reason = "no space left on device".to_owned();
            Err(Error::Folder {
                folder: "data".into(),
                reason,
            })
        }

        fn get(&self, _: Table, _: &[u8]) -> Result<Option<Bytes>, Error> {
            Ok(None)
        }

        fn scan(&self, _: Table, _: &[u8], _: See<'_>) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_stored_is_not_answered_and_ends_the_broker() {
        let state = State::new(Uuid::nil());
        let shared = Shared::new(state, Box::new(Full), Settings::default());
        assert!(shared.change(|_, _| ()).is_ok(), "nothing is to be stored");
        assert!(shared.change(State::new_producer).is_err());
        assert!(*shared.end.borrow());
        let why = shared.failure().unwrap().to_string();
        assert!(why.ends_with("no space left on device"), "{why}");
        assert!(shared.change(|_, _| ()).is_err(), "it stays so");
    }
}
