//! A worker's mailbox: the one place where it sleeps, and where everybody else reaches it.
//!
//! Kafka's clients ring its bell when there are rows; requests, swaps and the end come as letters,
//! taken between two batches. Ringing never blocks.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Letters for a worker.
#[derive(Debug)]
pub(super) struct Mailbox<L> {
    inner: Mutex<Inner<L>>,
    bell: Condvar,
    limit: usize,
}

#[derive(Debug)]
struct Inner<L> {
    letters: VecDeque<L>,
    rung: bool,
    closed: bool,
}

impl<L> Mailbox<L> {
    /// One that holds `limit` letters.
    pub(super) fn new(limit: usize) -> Mailbox<L> {
        let inner = Inner {
            letters: VecDeque::new(),
            rung: false,
            closed: false,
        };
        Mailbox {
            inner: Mutex::new(inner),
            bell: Condvar::new(),
            limit,
        }
    }

    /// Puts a letter in and rings. `Err` gives it back: the worker is gone, or has too many to
    /// read.
    pub(super) fn post(&self, letter: L) -> Result<(), L> {
        let mut inner = self.inner.lock();
        if inner.closed || inner.letters.len() >= self.limit {
            return Err(letter);
        }
        inner.letters.push_back(letter);
        inner.rung = true;
        self.bell.notify_one();
        Ok(())
    }

    /// Puts a letter in however many there are: for the few that must not be refused.
    pub(super) fn insist(&self, letter: L) -> Result<(), L> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(letter);
        }
        inner.letters.push_back(letter);
        inner.rung = true;
        self.bell.notify_one();
        Ok(())
    }

    /// Wakes the worker, or keeps it from falling asleep once.
    pub(super) fn ring(&self) {
        self.inner.lock().rung = true;
        self.bell.notify_one();
    }

    /// Sleeps until the bell rings or rang since the last sleep, at most `longest`.
    pub(super) fn sleep(&self, longest: Duration) {
        let mut inner = self.inner.lock();
        if !inner.rung {
            self.bell.wait_for(&mut inner, longest);
        }
        inner.rung = false;
    }

    /// Takes all letters.
    pub(super) fn take(&self) -> VecDeque<L> {
        std::mem::take(&mut self.inner.lock().letters)
    }

    /// Takes no more letters; returns those that nobody read.
    pub(super) fn close(&self) -> VecDeque<L> {
        let mut inner = self.inner.lock();
        inner.closed = true;
        std::mem::take(&mut inner.letters)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_bell_that_rang_before_the_sleep_is_heard() {
        let mailbox = Mailbox::<u32>::new(1);
        mailbox.ring();
        let began = Instant::now();
        mailbox.sleep(Duration::from_secs(10));
        assert!(began.elapsed() < Duration::from_secs(5));
        mailbox.sleep(Duration::from_millis(1));
    }

    #[test]
    fn a_letter_wakes_the_sleeper_and_too_many_are_given_back() {
        let mailbox = Arc::new(Mailbox::new(2));
        let poster = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || [1, 2, 3].map(|letter| poster.post(letter)));
        mailbox.sleep(Duration::from_secs(10));
        let posted = thread.join().expect("it posts and ends");
        assert_eq!(posted, [Ok(()), Ok(()), Err(3)]);
        assert_eq!(mailbox.insist(4), Ok(()));
        assert_eq!(mailbox.take(), [1, 2, 4]);
        mailbox.close();
        assert_eq!(mailbox.insist(5), Err(5));
    }
}
