//! Lets the rows of a producer go that wait for a full batch.
//!
//! librdkafka has one request under way for each partition. While a row stands behind it that has
//! waited for `linger.ms`, a thread of librdkafka asks in a busy loop whether its turn has come. So
//! rows wait for long, unless nobody else will come for now: only librdkafka's flush lets them go,
//! and only for as long as a thread stays in it. This is that thread.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use super::append::flush;

/// So few rows go with one request for each partition: none stands behind another.
const FEW: i32 = 1000;

/// How long it stays in a flush while there are few rows, and while there are many.
const SPELLS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(1));

/// Between two flushes.
const PAUSE: Duration = Duration::from_millis(4);

/// A thread that flushes a producer when it is told to.
pub(super) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Rest,
    Flush,
    End,
}

impl Flusher {
    /// Of this producer, whose reports somebody else takes. Rests at first.
    pub(super) fn of<C: ProducerContext + 'static>(
        producer: Arc<BaseProducer<C>>,
    ) -> io::Result<Flusher> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("flusher".to_owned());
        let thread = thread.spawn(move || own.serve(&producer))?;
        Ok(Flusher {
            shared,
            thread: Some(thread),
        })
    }

    /// Flushes until nothing is queued or under way, or rest is wanted again.
    pub(super) fn flush(&self) {
        self.shared.want(Wanted::Flush);
    }

    /// What is appended from now on waits.
    pub(super) fn rest(&self) {
        self.shared.want(Wanted::Rest);
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.want(Wanted::End);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    fn want(&self, what: Wanted) {
        *self.wanted.lock() = what;
        self.changed.notify_one();
    }

    fn serve<C: ProducerContext>(&self, producer: &BaseProducer<C>) {
        let mut wanted = self.wanted.lock();
        loop {
            match *wanted {
                Wanted::End => return,
                Wanted::Rest => self.changed.wait(&mut wanted),
                Wanted::Flush => {
                    let few = producer.in_flight_count() < FEW;
                    let spell = if few { SPELLS.0 } else { SPELLS.1 };
                    MutexGuard::unlocked(&mut wanted, || flush(producer, spell));
                    if *wanted != Wanted::Flush {
                        continue;
                    }
                    // Looked at under the lock: a row that comes later wakes this thread again.
                    if producer.in_flight_count() == 0 {
                        *wanted = Wanted::Rest;
                    } else {
                        let _timed_out = self.changed.wait_for(&mut wanted, PAUSE);
                    }
                }
            }
        }
    }
}
