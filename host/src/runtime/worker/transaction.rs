//! What a worker's transaction holds until it ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use weir_core::functions::Response;
use weir_core::task::TaskId;

use crate::config::Settings;
use crate::runtime::letter::{Asked, Reply};

/// Brokers forget positions of topics that a group does not subscribe to, even while it lives.
const POSITIONS_AGAIN: Duration = Duration::from_secs(60 * 60);

/// The transaction at hand.
pub(super) struct Transaction {
    pub(super) interval: Duration,
    pub(super) pause: Duration,
    /// Tasks that have done something in it.
    pub(super) dirty: BTreeSet<TaskId>,
    /// When the first of it was done; `None`: nothing.
    pub(super) since: Option<Instant>,
    pub(super) ended: Instant,
    /// Requests that were decided in it.
    pub(super) decided: Vec<(Asked, Response)>,
    /// When all positions were committed last.
    pub(super) positions: Instant,
    /// A task has begun since.
    pub(super) owes_positions: bool,
}

impl Transaction {
    pub(super) fn new(settings: &Settings) -> Transaction {
        let now = Instant::now();
        Transaction {
            interval: settings.commit_interval,
            pause: settings.commit_pause,
            dirty: BTreeSet::new(),
            since: None,
            ended: now.checked_sub(settings.commit_pause).unwrap_or(now),
            decided: Vec::new(),
            positions: now,
            owes_positions: false,
        }
    }

    /// From now on it is ended as these say.
    pub(super) fn take_settings(&mut self, settings: &Settings) {
        (self.interval, self.pause) = (settings.commit_interval, settings.commit_pause);
    }

    /// A task has done something that must be committed, or aborted.
    pub(super) fn touch(&mut self, task: TaskId) {
        self.dirty.insert(task);
        self.begin();
    }

    /// A request was decided; the response waits for the commit.
    pub(super) fn decided(&mut self, asked: Asked, response: Response) {
        self.decided.push((asked, response));
        self.begin();
    }

    /// A task begins: all positions are committed soon, so that Kafka's tools show how far it is
    /// behind before its first row is read.
    pub(super) fn owe_positions(&mut self) {
        self.owes_positions = true;
    }

    pub(super) fn positions_are_due(&self) -> bool {
        self.owes_positions || self.positions.elapsed() > POSITIONS_AGAIN
    }

    /// Whether nothing is in it.
    pub(super) fn is_clean(&self) -> bool {
        self.since.is_none()
    }

    /// How long it may still stay open; `None`: nothing is in it.
    pub(super) fn time_to_commit(&self) -> Option<Duration> {
        self.since
            .map(|_| self.pause.saturating_sub(self.ended.elapsed()))
    }

    /// The session ends without it, and whether it was committed is not known.
    pub(super) fn give_up(&mut self, reason: &str) {
        for (asked, _) in self.decided.drain(..) {
            let _gone = asked.reply.send(Reply::Unknown(reason.to_owned()));
        }
    }

    /// Something is in it from now on.
    pub(super) fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Nothing is in it any more.
    pub(super) fn end(&mut self) {
        self.dirty.clear();
        self.since = None;
        self.ended = Instant::now();
    }
}
