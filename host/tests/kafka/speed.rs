//! What a row costs on its way out and in, in CPU time of this process. Only with `WEIR_TEST_SPEED`
//! set, and alone: `WEIR_TEST_SPEED=1 cargo test -p weir --test kafka speed -- --nocapture`.

use std::time::Instant;

use weir_core::record::Batch;
use weir_host::kafka::Partitioning;

use crate::worker::{Worker, at, cluster, now, source, topic, unique};

const ROWS: usize = 1_000_000;
const BATCH: usize = 1000;
const PARTITIONS: u32 = 4;

#[test]
fn speed_of_rows_out_and_in() {
    if std::env::var_os("WEIR_TEST_SPEED").is_none() {
        return;
    }
    let cluster = cluster();
    let topic = topic(&cluster, "speed", PARTITIONS);
    let mut worker = Worker::join(&cluster, &unique("speed"), "worker", 1);
    worker.own(1);
    let mut rows = Batch::default();
    (0..BATCH).for_each(|row| {
        rows.push(
            Some(format!("{row:010}").as_bytes()),
            Some(&[b'v'; 100]),
            now(),
        )
    });
    let partitions: Vec<u32> = (0..PARTITIONS).cycle().take(BATCH).collect();

    let (begun, used) = (Instant::now(), cpu_ms());
    let mut commits = Vec::new();
    for batch in 0..ROWS / BATCH {
        worker.producer.begin().expect("a transaction");
        worker
            .producer
            .produce(&topic, rows.clone(), Partitioning::Each(&partitions))
            .expect("room");
        if batch % 20 == 19 {
            let commit = Instant::now();
            worker
                .commit(&[(at(&topic, 0, 1), String::new())])
                .expect("the only member");
            commits.push(commit.elapsed());
        }
    }
    report("out", begun, used);
    commits.sort();
    eprintln!(
        "commits of 20k rows: median {:?}",
        commits[commits.len() / 2]
    );

    let mut small = Vec::new();
    for _ in 0..200 {
        worker.producer.begin().expect("a transaction");
        worker
            .producer
            .produce(&topic, rows.select(&[0]), Partitioning::One(0))
            .expect("room");
        let commit = Instant::now();
        worker
            .commit(&[(at(&topic, 0, 1), String::new())])
            .expect("the only member");
        small.push(commit.elapsed());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    small.sort();
    eprintln!(
        "commits of one row: median {:?}, p99 {:?}",
        small[100], small[197]
    );

    let mut source = source(&cluster, "speed");
    let starts: Vec<_> = (0..PARTITIONS)
        .map(|partition| at(&topic, partition, 0))
        .collect();
    let (begun, used) = (Instant::now(), cpu_ms());
    source.add(&starts).expect("a topic that is there");
    let mut count = 0;
    while count < ROWS {
        let mut into = Vec::new();
        source
            .poll(BATCH, &mut into)
            .expect("offsets that are there");
        count += into.iter().map(|rows| rows.rows.len()).sum::<usize>();
        if into.is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    report("in", begun, used);
}

fn report(what: &str, begun: Instant, used: u64) {
    let used = cpu_ms() - used;
    let rows = u64::try_from(ROWS).expect("a million");
    eprintln!(
        "{what}: {ROWS} rows in {:?}, {used} ms of CPU, {} ns a row",
        begun.elapsed(),
        used * 1_000_000 / rows
    );
}

/// User and system time of all threads of this process, in milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().expect("a name in brackets");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number of ticks");
    // From the state on, user and system time are the fields 11 and 12; a tick is 10 ms.
    (ticks(11) + ticks(12)) * 10
}
