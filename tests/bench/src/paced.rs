//! Rows at a steady rate, from a thread of their own: a stream that goes on whatever happens to
//! its reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::anyhow;
use rdkafka::producer::{BaseProducer, BaseRecord};
use weir_tests::Client;

use crate::kafka;
use crate::rows::{Rows, key_bytes};

/// The stream. Dropped, it ends.
pub(crate) struct Paced {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<u64>>>,
}

impl Paced {
    /// Sends `rows` one after the other, so many a second, until [`Self::stop`] or their end.
    pub(crate) fn start(
        client: &Client,
        topic: &'static str,
        rows: Rows,
        per_s: u64,
    ) -> anyhow::Result<Self> {
        let producer: BaseProducer = kafka::producer_config(client).create()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            let mut sent = 0;
            let mut value = Vec::new();
            while sent < rows.count && !stopped.load(Ordering::Relaxed) {
                let due = begun.elapsed().as_micros() as u64 * per_s / 1_000_000;
                while sent < due.min(rows.count) {
                    rows.value(sent, &mut value);
                    let key = key_bytes(rows.key(sent));
                    kafka::send(
                        &producer,
                        BaseRecord::to(topic).key(&key[..]).payload(&value[..]),
                    )?;
                    sent += 1;
                }
                kafka::wait(&producer);
            }
            kafka::drain(&producer).map(|()| sent)
        });
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends the stream; how many rows the broker has. Errors: it did not take one.
    pub(crate) fn stop(mut self) -> anyhow::Result<u64> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("the sender panicked"))?,
            None => Ok(0),
        }
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        // Whoever wanted to know has stopped it.
        let _ = self.end();
    }
}
