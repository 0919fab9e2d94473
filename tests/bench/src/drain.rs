//! One operator at saturation: a loaded topic is read to its end as fast as it goes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rdkafka::Message as _;
use weir_tests::child::Child;

use crate::contender::Contender;
use crate::cost::{Moment, Process, Stopwatch};
use crate::ground::{Ground, Input, OUTPUT};
use crate::kafka::{self, Progress};
use crate::outcome::{Outcome, rounded};
use crate::rows::Rows;
use crate::verify::{Change, Counts, Each, Verdict, Verifier};

/// How long a contender may commit nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a contender is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What is done with each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    Passthrough,
    Map,
    Count,
    Join,
    Window,
}

impl Workload {
    /// As the contenders call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Map => "map",
            Self::Count => "count",
            Self::Join => "join",
            Self::Window => "window",
        }
    }

    fn verifier(self, rows: &Rows, ground: &mut Ground) -> anyhow::Result<Verifier> {
        let each = |change| Verifier::Each(Each::new(rows.clone(), change));
        Ok(match self {
            Self::Passthrough => each(Change::Same),
            Self::Map => each(Change::Priced),
            Self::Join => each(Change::Joined(ground.load(Input::Table)?)),
            Self::Count => Verifier::Counts(Counts::by_key().with(rows)),
            Self::Window => Verifier::Counts(Counts::by_key_and_minute().with(rows)),
        })
    }
}

/// Runs a contender over all rows of `input`; the first half warms it up.
pub(crate) fn run(
    ground: &mut Ground,
    contender: Contender,
    workload: Workload,
    input: Input,
) -> anyhow::Result<Outcome> {
    let rows = ground.load(input)?;
    if workload == Workload::Join {
        ground.load(Input::Table)?;
    }
    let id = ground.clear()?;
    let client = ground.client().clone();
    client.create_topic(OUTPUT, kafka::PARTITIONS, &[]);
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    let job = ground.job(workload.name(), &id, input.topic());
    let progress = Progress::of(&client, &id, input.topic())?;
    let begun = Instant::now();
    let mut child = contender.start(&job, folder.path())?;
    let process = Process::new(child.pid());
    let mut start_s = None;
    let mut watch = Stopwatch::new(rows.count / 2, moment(process, 0)?);
    until_committed(&mut child, &progress, rows.count, |committed| {
        if committed > 0 {
            start_s.get_or_insert(rounded(begun.elapsed().as_secs_f64()));
        }
        Ok(watch.look(moment(process, committed)?))
    })?;
    let cost = watch.cost().context(
        "everything was committed at once, which measures nothing: more rows, by --scale",
    )?;
    let outcome = Outcome {
        start_s,
        ..Outcome::default()
    };
    let outcome = outcome.with_cost(&cost).with_peak_rss(process)?;
    end(child);
    let verifier = workload.verifier(&rows, ground)?;
    Ok(Outcome {
        verdict: Some(verify(ground, verifier)?),
        ..outcome
    })
}

/// Returns when the contender has committed so many rows. `look` is told how many there are, again
/// and again, and says how long there was nothing new.
pub(crate) fn until_committed(
    child: &mut Child,
    progress: &Progress,
    rows: u64,
    mut look: impl FnMut(u64) -> anyhow::Result<Duration>,
) -> anyhow::Result<()> {
    loop {
        if let Some(status) = child.ended() {
            bail!("it ended before its work: {status}\n{}", child.log_tail());
        }
        let committed = progress.rows()?;
        let idle = look(committed)?;
        if committed >= rows {
            return Ok(());
        }
        ensure!(
            idle < PATIENCE,
            "{committed} of {rows} rows, and no more for {PATIENCE:?}\n{}",
            child.log_tail()
        );
        std::thread::sleep(LOOK);
    }
}

/// What a process has done and used until now.
pub(crate) fn moment(process: Process, rows: u64) -> anyhow::Result<Moment> {
    Ok(Moment {
        at: Instant::now(),
        rows,
        cpu: process.cpu()?,
    })
}

/// Asks a contender to end, and waits for it.
pub(crate) fn end(mut child: Child) {
    child.terminate(PATIENCE);
}

/// Holds the committed rows of the output against what they should be.
pub(crate) fn verify(ground: &Ground, mut verifier: Verifier) -> anyhow::Result<Verdict> {
    kafka::read_all(ground.client(), OUTPUT, |row| {
        verifier.row(
            row.key().unwrap_or_default(),
            row.payload().unwrap_or_default(),
        );
    })?;
    Ok(verifier.verdict())
}
