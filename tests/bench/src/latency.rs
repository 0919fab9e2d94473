//! One row at low load: from its sending to its arrival, as a committed row, at a reader of the
//! output.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{Message as _, Offset};

use crate::contender::Contender;
use crate::cost::{Cost, Process};
use crate::drain::{self, PATIENCE};
use crate::ground::{Ground, OUTPUT, now_ms};
use crate::kafka;
use crate::outcome::Outcome;
use crate::rows::{Body, Rows, key_bytes};
use crate::verify::{Change, Each, Verifier};

const INPUT: &str = "bench-drops";
/// Rows a second.
const PER_S: u64 = 50;

/// Runs a passthrough of so many rows at 50 a second, half of them to warm up.
pub(crate) fn run(
    ground: &mut Ground,
    contender: Contender,
    count: u64,
) -> anyhow::Result<Outcome> {
    let id = ground.clear()?;
    let client = ground.client();
    client.create_topics(&[INPUT, OUTPUT]);
    let folder = tempfile::Builder::new().prefix("weir-bench-").tempdir()?;
    let job = ground.job("passthrough", &id, INPUT);
    let rows = Rows {
        count,
        keys: 1_000_000,
        body: Body::Bytes(100),
        first_ms: now_ms()?,
        step_us: 0,
    };
    let mut child = contender.start(&job, folder.path())?;
    let process = Process::new(child.pid());
    let producer: BaseProducer = kafka::producer_config(client)
        .set("linger.ms", "0")
        .create()?;
    let reader = kafka::reader(client, OUTPUT, Offset::End)?;

    let warmup = rows.count / 2;
    let mut sent_at: Vec<Instant> = Vec::new();
    let mut took = Vec::new();
    let mut heard = 0;
    let mut value = Vec::new();
    let begun = Instant::now();
    let mut start = (begun, process.cpu()?);
    while heard < rows.count {
        let next = sent_at.len() as u64;
        if next < rows.count && begun.elapsed() >= Duration::from_millis(1000 * next / PER_S) {
            if next == warmup {
                start = (Instant::now(), process.cpu()?);
            }
            rows.value(next, &mut value);
            let key = key_bytes(rows.key(next));
            sent_at.push(Instant::now());
            kafka::send(
                &producer,
                BaseRecord::to(INPUT).key(&key[..]).payload(&value[..]),
            )?;
        }
        producer.poll(Duration::ZERO);
        if let Some(Ok(row)) = reader.poll(Duration::from_millis(1)) {
            let index = row.payload().and_then(|value| value.first_chunk());
            let index = u64::from_be_bytes(*index.context("a row without an index")?);
            let sent = sent_at.get(usize::try_from(index)?);
            let at = sent.context("a row that was not sent")?;
            heard += 1;
            if index >= warmup {
                took.push(at.elapsed());
            }
        }
        if let Some(status) = child.ended() {
            bail!("it ended: {status}\n{}", child.log_tail());
        }
        let last = sent_at.last().unwrap_or(&begun);
        ensure!(
            last.elapsed() < PATIENCE,
            "{heard} of {} rows came\n{}",
            rows.count,
            child.log_tail()
        );
    }
    let cost = Cost {
        rows: took.len() as u64,
        wall: start.0.elapsed(),
        cpu: process.cpu()?.saturating_sub(start.1),
    };
    let outcome = Outcome::default()
        .with_cost(&cost)
        .with_latencies(took)
        .with_peak_rss(process)?;
    drain::end(child);
    let verifier = Verifier::Each(Each::new(rows, Change::Same));
    Ok(Outcome {
        verdict: Some(drain::verify(ground, verifier)?),
        ..outcome
    })
}
