//! What services cost that have nothing to do.
//!
//! A host of weir runs many of them in one process; an application of Kafka Streams is a process.
//! So each contender has the number that fits a machine, and figures are by the service.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use weir_tests::child::Child;

use crate::contender::{Contender, Job};
use crate::cost::Process;
use crate::drain;
use crate::ground::{Ground, OUTPUT, now_ms};
use crate::kafka::{self, Progress};
use crate::outcome::{Outcome, megabytes, rounded};
use crate::rows::{Body, Rows};

const INPUT: &str = "bench-idle";
/// Services in one host of weir.
const IN_ONE_HOST: usize = 100;
/// Processes of Kafka Streams.
const PROCESSES: usize = 10;
/// How long all is left alone before it is measured.
const SETTLE: Duration = Duration::from_secs(10);
/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(30);

/// Starts the services, waits until each has committed its first rows, and measures what they cost
/// from then on.
pub(crate) fn run(ground: &mut Ground, contender: Contender) -> anyhow::Result<Outcome> {
    let id = ground.clear()?;
    let client = ground.client();
    client.create_topics(&[INPUT, OUTPUT]);
    let rows = Rows {
        count: 100,
        keys: 100,
        body: Body::Bytes(100),
        first_ms: now_ms()?,
        step_us: 0,
    };
    kafka::fill(client, INPUT, &rows)?;
    let (processes, copies) = match contender {
        Contender::Weir => (1, IN_ONE_HOST),
        _ => (PROCESSES, 1),
    };
    let services = processes * copies;
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    let mut children: Vec<Child> = Vec::new();
    let begun = Instant::now();
    for process in 1..=processes {
        let own = match processes {
            1 => id.clone(),
            _ => format!("{id}-{process}"),
        };
        let own_folder = folder.path().join(&own);
        std::fs::create_dir(&own_folder)?;
        let job = Job {
            copies,
            ..ground.job("passthrough", &own, INPUT)
        };
        children.push(contender.start(&job, &own_folder)?);
    }
    for service in 1..=services {
        let group = format!("{id}-{service}");
        let progress = Progress::of(client, &group, INPUT)?;
        let child = &mut children[(service - 1) / copies];
        let waited = Instant::now();
        drain::until_committed(child, &progress, rows.count, |_| Ok(waited.elapsed()))
            .with_context(|| format!("service {service} of {services}"))?;
    }
    let start_s = rounded(begun.elapsed().as_secs_f64());
    std::thread::sleep(SETTLE);

    let processes: Vec<_> = children.iter().map(|it| Process::new(it.pid())).collect();
    let cpu = || -> anyhow::Result<Duration> { processes.iter().map(|it| it.cpu()).sum() };
    let (from, before) = (Instant::now(), cpu()?);
    std::thread::sleep(MEASURED);
    let percent = 100.0 * (cpu()? - before).as_secs_f64() / from.elapsed().as_secs_f64();
    let mut rss_kb = 0;
    let mut peak_kb = 0;
    for process in &processes {
        rss_kb += process.rss_kb()?;
        peak_kb += process.peak_rss_kb()?;
    }
    children.into_iter().for_each(drain::end);
    let each = |all: f64| rounded(all / services as f64);
    Ok(Outcome {
        start_s: Some(start_s),
        services: Some(services as u64),
        peak_rss_mb: Some(megabytes(peak_kb)),
        rss_mb_per_service: Some(each(megabytes(rss_kb))),
        cpu_percent_per_service: Some(each(percent)),
        ..Outcome::default()
    })
}
