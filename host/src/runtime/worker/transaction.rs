//! What a worker's transaction holds until it ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use weir_core::functions::Response;
use weir_core::task::TaskId;

use crate::config::Settings;
use crate::runtime::letter::{Asked, Reply};

/// Brokers forget positions of topics that a group does not subscribe to, even while it lives.
const POSITIONS_AGAIN: Duration = Duration::from_secs(60 * 60);

/// How long positions alone wait for something that is committed with them: rows that came to
/// nothing. Nobody else waits for them, and a transaction costs the brokers a dozen writes.
const POSITIONS_ALONE: Duration = Duration::from_millis(100);

/// The next transaction is not ended for as long as the last one took, up to this. Where brokers
/// are busy, fewer transactions with more in each are sooner done than many.
const REST: Duration = Duration::from_millis(100);

/// The transaction at hand.
pub(super) struct Transaction {
    interval: Duration,
    pause: Duration,
    /// Tasks that have done something in it.
    pub(super) dirty: BTreeSet<TaskId>,
    /// When the first of it was done; `None`: nothing.
    since: Option<Instant>,
    /// Whether there is more in it than positions.
    awaited: bool,
    ended: Instant,
    /// How long after that the next one is not ended.
    rest: Duration,
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
            awaited: false,
            ended: now,
            rest: Duration::ZERO,
            decided: Vec::new(),
            positions: now,
            owes_positions: false,
        }
    }

    /// From now on it is ended as these say.
    pub(super) fn take_settings(&mut self, settings: &Settings) {
        (self.interval, self.pause) = (settings.commit_interval, settings.commit_pause);
    }

    /// A task has moved on: its positions must be committed, or aborted.
    pub(super) fn touch(&mut self, task: TaskId) {
        self.dirty.insert(task);
        self.since.get_or_insert_with(Instant::now);
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

    /// Whether it is time to end it; `drained`: there is nothing else to do.
    pub(super) fn is_due(&self, drained: bool) -> bool {
        let Some(since) = self.since else {
            return false;
        };
        let (open, least) = (since.elapsed(), self.least());
        let most = self.interval.max(least);
        self.ended.elapsed() >= self.rest && open >= if drained { least } else { most }
    }

    /// When it is time to end it, if nothing else comes; `None`: nothing is in it.
    pub(super) fn time_to_commit(&self) -> Option<Duration> {
        let since = self.since?;
        let rest = self.rest.saturating_sub(self.ended.elapsed());
        Some(rest.max(self.least().saturating_sub(since.elapsed())))
    }

    /// How long it stays open at least.
    fn least(&self) -> Duration {
        if self.awaited {
            Duration::ZERO
        } else {
            POSITIONS_ALONE
        }
    }

    /// The session ends without it, and whether it was committed is not known.
    pub(super) fn give_up(&mut self, reason: &str) {
        for (asked, _) in self.decided.drain(..) {
            let _gone = asked.reply.send(Reply::Unknown(reason.to_owned()));
        }
    }

    /// Something is in it from now on that somebody waits for: rows, writes, responses.
    pub(super) fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
        self.awaited = true;
    }

    /// Nothing is in it any more; to end it has taken so long.
    pub(super) fn end(&mut self, took: Duration) {
        self.dirty.clear();
        self.since = None;
        self.awaited = false;
        self.ended = Instant::now();
        self.rest = self.pause.max(took.min(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId {
        subtopology: 0,
        partition: 0,
    };
    const INTERVAL: Duration = Duration::from_secs(60);

    fn transaction() -> Transaction {
        Transaction::new(&Settings {
            commit_interval: INTERVAL,
            commit_pause: Duration::ZERO,
            ..Settings::default()
        })
    }

    fn ago(time: Duration) -> Option<Instant> {
        Some(Instant::now().checked_sub(time).expect("the clock runs"))
    }

    #[test]
    fn what_somebody_waits_for_ends_when_nothing_else_is_to_be_done() {
        let mut transaction = transaction();
        assert!(!transaction.is_due(true), "nothing is in it");
        transaction.touch(TASK);
        transaction.begin();
        assert!(transaction.is_due(true));
        assert!(!transaction.is_due(false), "its interval has not passed");
        transaction.since = ago(INTERVAL);
        assert!(transaction.is_due(false));
        transaction.end(Duration::ZERO);
        assert!(!transaction.is_due(true));
    }

    #[test]
    fn a_worker_rests_as_long_as_its_last_commit_took_but_not_longer_than_a_tenth_of_a_second() {
        let mut transaction = transaction();
        for (took, rest) in [(REST / 2, REST / 2), (REST * 9, REST)] {
            transaction.end(took);
            transaction.begin();
            assert!(!transaction.is_due(true));
            assert!(
                transaction
                    .time_to_commit()
                    .is_some_and(|left| left <= rest)
            );
            transaction.ended = ago(rest).expect("the clock runs");
            assert!(transaction.is_due(true));
        }
    }

    #[test]
    fn positions_alone_wait_for_company_but_not_for_ever() {
        let mut transaction = transaction();
        transaction.touch(TASK);
        assert!(!transaction.is_due(true));
        let left = transaction.time_to_commit();
        assert!(left.is_some_and(|left| left <= POSITIONS_ALONE), "{left:?}");
        transaction.since = ago(POSITIONS_ALONE);
        assert!(transaction.is_due(true));
        transaction.end(Duration::ZERO);
        transaction.touch(TASK);
        assert!(!transaction.is_due(true), "the next ones wait, too");
    }
}
