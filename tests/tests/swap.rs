//! Scenario 17: a validator is replaced under load by a version that answers visibly differently.
//!
//! No order is lost or decided twice, and no group rebalances. The longest gap between two commits
//! of the validator is printed, as a plain client of committed rows sees it.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use weir_tests::orders::{Ecosystem, SERVICES, order};
use weir_tests::{Client, paths, wait};

const ORDERS: usize = 400;

/// Half a session: nobody was taken for dead.
const LONGEST_GAP: Duration = Duration::from_secs(5);

#[test]
fn scenario_17_a_validator_is_replaced_under_load() {
    let mut shop = Ecosystem::prepare();
    shop.stock("JUMPERS", 1_000_000);
    shop.host(&SERVICES);
    shop.settle("inventory", "warehouse-inventory");
    let components = shop.hosts[0].folder().join("components");

    let watch = Watch::begin(&shop.client);
    let mut renamed = None;
    let started = Instant::now();
    let mut number = 0;
    // The load goes on until the new version has answered.
    while number < ORDERS || !watch.has_seen_the_new_version() {
        assert!(
            started.elapsed() < wait::SOON,
            "the new version never answers"
        );
        let id = format!("s{number}");
        shop.produce_order(&order(&id, number as i64, "JUMPERS", 1, 1.0));
        if number == ORDERS / 2 {
            // Written beside it and renamed, as a deployment does: never half a file.
            let new = components.join("order-details.new");
            std::fs::copy(paths::component("order-details-v2"), &new).expect("a copy");
            std::fs::rename(&new, components.join("order-details.wasm")).expect("a rename");
            renamed = Some(Instant::now());
        }
        number += 1;
        let due = Duration::from_millis(10) * number as u32;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    let orders = number;
    report_gaps(&watch.end(), renamed.expect("half of them were written"));

    for number in 0..orders {
        let id = format!("s{number}");
        assert_eq!(shop.decision(&id), "VALIDATED", "order {id}");
    }
    let rows = shop.client.read("orders");
    for number in 0..orders {
        let id = format!("s{number}");
        let decided: Vec<_> = rows
            .iter()
            .filter(|row| row.key_text() == id && row.json()["state"] != "CREATED")
            .collect();
        assert_eq!(decided.len(), 1, "order {id} is decided once");
    }
    let answers = shop.client.read("order-validations");
    let details = answers
        .iter()
        .filter(|row| row.json()["checkType"] == "ORDER_DETAILS_CHECK");
    let mut checked: Vec<_> = details.map(|row| row.key_text().to_owned()).collect();
    let all = checked.len();
    checked.sort();
    checked.dedup();
    assert_eq!(checked.len(), all, "no order is checked twice");
    let log = shop.hosts[0].child().log();
    assert_eq!(
        log.matches("swapped").count(),
        1,
        "one swap, and no restart: {log}"
    );
}

/// A plain client that reads the validator's answers as they are committed.
struct Watch {
    thread: JoinHandle<Vec<Instant>>,
    stop: Arc<AtomicBool>,
    new: Arc<AtomicBool>,
}

impl Watch {
    fn begin(client: &Client) -> Watch {
        let mut config = client.config();
        config
            .set("group.id", "watch-commits") // by name only
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "5")
            .set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut answers = TopicPartitionList::new();
        for partition in 0..4 {
            answers
                .add_partition_offset("order-validations", partition, Offset::Beginning)
                .expect("a valid offset");
        }
        consumer.assign(&answers).expect("an assignment");
        let (stop, new) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (stopped, seen) = (Arc::clone(&stop), Arc::clone(&new));
        let thread = std::thread::spawn(move || {
            let mut came = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let Some(Ok(row)) = consumer.poll(Duration::from_millis(10)) else {
                    continue;
                };
                let answer = String::from_utf8_lossy(row.payload().unwrap_or_default());
                if answer.contains("ORDER_DETAILS_CHECK") {
                    came.push(Instant::now());
                    seen.fetch_or(answer.contains("version 2"), Ordering::Relaxed);
                }
            }
            came
        });
        Watch { thread, stop, new }
    }

    fn has_seen_the_new_version(&self) -> bool {
        self.new.load(Ordering::Relaxed)
    }

    /// When each answer came.
    fn end(self) -> Vec<Instant> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the client reads on")
    }
}

/// Prints the longest gap between two commits, before the new component lay there and after.
fn report_gaps(commits: &[Instant], renamed: Instant) {
    let (before, after): (Vec<_>, Vec<_>) = commits.windows(2).partition(|pair| pair[1] < renamed);
    let longest = |pairs: Vec<&[Instant]>| {
        let longest = pairs.iter().map(|pair| pair[1] - pair[0]).max();
        longest.expect("some were committed")
    };
    let (before, after) = (longest(before), longest(after));
    // Not `eprintln`, which a test that passes keeps to itself.
    let _closed = writeln!(
        std::io::stderr(),
        "swap: the longest gap between two commits was {} ms with the swap, {} ms before it",
        after.as_millis(),
        before.as_millis()
    );
    assert!(after < LONGEST_GAP, "a gap of {after:?}");
}
