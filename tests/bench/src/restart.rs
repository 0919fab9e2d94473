//! Killed with a large state, and started again on what it has left behind.
//!
//! The state is a count and 1 KB for each key. Rows go on coming while the contender is killed in
//! the middle of its transactions; the figure is the time from the start of the new process to the
//! first new row that a reader of committed rows gets. The counts prove that nothing was lost or
//! counted twice.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::Offset;
use weir_tests::child::Child;
use weir_tests::wait;

use crate::contender::Contender;
use crate::cost::Process;
use crate::drain::{self, PATIENCE, until_committed};
use crate::ground::{Ground, OUTPUT, now_ms};
use crate::kafka::{self, Progress};
use crate::outcome::{Outcome, rounded};
use crate::paced::Paced;
use crate::rows::{Body, Rows};
use crate::verify::{Counts, Verifier};

const INPUT: &str = "bench-state";
/// Bytes of a value.
const SIZE: usize = 1000;
/// Rows a second while it is killed.
const PER_S: u64 = 200;
/// How long rows come before the kill, and after the return.
const AROUND: Duration = Duration::from_secs(5);
/// How long the contender stays dead.
const DEAD: Duration = Duration::from_millis(500);

/// Runs a contender with a state of so many MB at full scale.
pub(crate) fn run(
    ground: &mut Ground,
    contender: Contender,
    megabytes: u64,
) -> anyhow::Result<Outcome> {
    let id = ground.clear()?;
    let client = ground.client();
    client.create_topics(&[INPUT, OUTPUT]);
    let keys = ground.scaled(megabytes * 1_000_000 / SIZE as u64);
    let state = Rows {
        count: keys,
        keys,
        body: Body::Bytes(SIZE),
        first_ms: now_ms()?,
        step_us: 0,
    };
    kafka::fill(client, INPUT, &state)?;
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    let job = ground.job("latest", &id, INPUT);
    let progress = Progress::of(client, &id, INPUT)?;
    let mut child = contender.start(&job, folder.path())?;
    commit_all(&mut child, &progress, state.count)?;
    let mut later = Rows {
        count: u64::MAX,
        keys: state.keys.div_ceil(2),
        ..state
    };
    let stream = Paced::start(client, INPUT, later.clone(), PER_S)?;
    std::thread::sleep(AROUND);
    let state_mb = rounded(disk_bytes(folder.path())? as f64 / 1e6);
    child.kill9();
    drop(child);
    std::thread::sleep(DEAD);

    let reader = kafka::reader(client, OUTPUT, Offset::End)?;
    let begun = Instant::now();
    let mut child = contender.start(&job, folder.path())?;
    let back = wait::within(PATIENCE, || match child.ended() {
        Some(status) => Some(Err(status)),
        None => matches!(reader.poll(Duration::from_millis(1)), Some(Ok(_))).then_some(Ok(())),
    });
    let restart = begun.elapsed();
    match back {
        Some(Ok(())) => {}
        Some(Err(status)) => bail!("it ended: {status}\n{}", child.log_tail()),
        None => bail!("no new row for {PATIENCE:?}\n{}", child.log_tail()),
    }
    drop(reader);
    std::thread::sleep(AROUND);
    later.count = stream.stop()?;
    commit_all(&mut child, &progress, state.count + later.count)?;
    let outcome = Outcome {
        restart_s: Some(rounded(restart.as_secs_f64())),
        state_mb: Some(state_mb),
        ..Outcome::default()
    };
    let outcome = outcome.with_peak_rss(Process::new(child.pid()))?;
    drain::end(child);
    let counts = Counts::by_key().with(&state).with(&later);
    Ok(Outcome {
        verdict: Some(drain::verify(ground, Verifier::Counts(counts))?),
        ..outcome
    })
}

fn commit_all(child: &mut Child, progress: &Progress, rows: u64) -> anyhow::Result<()> {
    let mut last = (0, Instant::now());
    until_committed(child, progress, rows, |committed| {
        if committed != last.0 {
            last = (committed, Instant::now());
        }
        Ok(last.1.elapsed())
    })
}

/// The size of all files below a folder.
fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        // A store in use removes files while they are looked at.
        let Ok(about) = entry.metadata() else {
            continue;
        };
        bytes += if about.is_dir() {
            disk_bytes(&entry.path()).unwrap_or(0)
        } else {
            about.len()
        };
    }
    Ok(bytes)
}
