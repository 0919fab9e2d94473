//! A new version while rows come in: how long the output stands still, and whether a row is lost
//! or doubled.
//!
//! In weir the component's file is replaced, and the host takes it between two transactions. An
//! application of Kafka Streams is ended and started again, which is what a new version means
//! there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::Offset;
use weir_tests::child::Child;
use weir_tests::{Client, wait};

use crate::contender::{self, Contender};
use crate::cost::Process;
use crate::drain::{self, PATIENCE};
use crate::ground::{Ground, OUTPUT, now_ms};
use crate::kafka;
use crate::outcome::{Outcome, rounded};
use crate::paced::Paced;
use crate::rows::{Body, Rows};
use crate::verify::{Change, Each, Verifier};

const INPUT: &str = "bench-swap";
/// Rows a second.
const PER_S: u64 = 10_000;
/// How long the output is watched before the swap, and after it at least.
const AROUND: Duration = Duration::from_secs(5);

/// Runs a contender through one swap.
pub(crate) fn run(ground: &mut Ground, contender: Contender) -> anyhow::Result<Outcome> {
    let id = ground.clear()?;
    let client = ground.client();
    client.create_topics(&[INPUT, OUTPUT]);
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    let job = ground.job("passthrough", &id, INPUT);
    let mut rows = Rows {
        count: u64::MAX,
        keys: 1_000_000,
        body: Body::Bytes(100),
        first_ms: now_ms()?,
        step_us: 0,
    };
    let output = Watched::start(client)?;
    let stream = Paced::start(client, INPUT, rows.clone(), PER_S)?;
    let mut child = contender.start(&job, folder.path())?;
    output.wait_for_more(&child)?;
    std::thread::sleep(AROUND);
    let usual = output.take_longest();

    if contender == Contender::Weir {
        replace(&contender::component(folder.path(), &id))?;
        let swapped = || child.log().contains("swapped").then_some(());
        wait::within(PATIENCE, swapped)
            .with_context(|| format!("no swap for {PATIENCE:?}\n{}", child.log_tail()))?;
    } else {
        drain::end(child);
        child = contender.start(&job, folder.path())?;
        output.wait_for_more(&child)?;
    }
    std::thread::sleep(AROUND);
    let gap = output.take_longest();
    drop(output);
    rows.count = stream.stop()?;
    // The rest arrives.
    let progress = kafka::Progress::of(client, &id, INPUT)?;
    let begun = Instant::now();
    drain::until_committed(&mut child, &progress, rows.count, |_| Ok(begun.elapsed()))?;
    let outcome = Outcome {
        gap_ms: Some(rounded(gap.as_secs_f64() * 1e3)),
        usual_gap_ms: Some(rounded(usual.as_secs_f64() * 1e3)),
        ..Outcome::default()
    };
    let outcome = outcome.with_peak_rss(Process::new(child.pid()))?;
    drain::end(child);
    let verifier = Verifier::Each(Each::new(rows, Change::Same));
    Ok(Outcome {
        verdict: Some(drain::verify(ground, verifier)?),
        ..outcome
    })
}

/// Puts other bytes in place of a component: the same one with a section that means nothing.
fn replace(component: &Path) -> anyhow::Result<()> {
    // A custom section: its id, its size, and a name of one letter with its length.
    const SECTION: [u8; 4] = [0, 2, 1, b'2'];
    let mut bytes = fs::read(component)?;
    bytes.extend_from_slice(&SECTION);
    // In place by a rename: the host never sees half of it.
    let part = component.with_extension("part");
    fs::write(&part, &bytes)
        .and_then(|()| fs::rename(&part, component))
        .with_context(|| format!("writing {}", component.display()))
}

/// The output, read by a thread of its own as rows become readable. Dropped, it ends.
struct Watched {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    rows: AtomicU64,
    longest_us: AtomicU64,
    stop: AtomicBool,
}

impl Watched {
    fn start(client: &Client) -> anyhow::Result<Self> {
        let reader = kafka::reader(client, OUTPUT, Offset::Beginning)?;
        let seen = Arc::new(Seen::default());
        let told = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let mut last: Option<Instant> = None;
            while !told.stop.load(Ordering::Relaxed) {
                if let Some(Ok(_)) = reader.poll(Duration::from_millis(10)) {
                    let gap = last
                        .replace(Instant::now())
                        .map_or(0, |it| it.elapsed().as_micros());
                    told.longest_us.fetch_max(gap as u64, Ordering::Relaxed);
                    told.rows.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Self {
            seen,
            thread: Some(thread),
        })
    }

    /// The longest time between two rows since this was asked last.
    fn take_longest(&self) -> Duration {
        Duration::from_micros(self.seen.longest_us.swap(0, Ordering::Relaxed))
    }

    /// Waits for rows that are not there yet.
    fn wait_for_more(&self, child: &Child) -> anyhow::Result<()> {
        let before = self.seen.rows.load(Ordering::Relaxed);
        let more = || (self.seen.rows.load(Ordering::Relaxed) > before).then_some(());
        wait::within(PATIENCE, more)
            .with_context(|| format!("no row for {PATIENCE:?}\n{}", child.log_tail()))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}
