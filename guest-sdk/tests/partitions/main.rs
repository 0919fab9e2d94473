//! What a keyed topology says of a key depends neither on the number of partitions nor on where
//! processes and machines die.
//!
//! Random rows go through each family of keyed operators, over 1, 3 and 4 partitions, with
//! transactions of random length, crashes and lost machines at random steps; the oracle is one
//! partition that never fails. What is stream time to an operator depends on its other keys, and so
//! on partitions: therefore no row is later than the graces of the families allow, and far later
//! rows come at the end, in every partition, which close what is open.
//!
//! A failing run prints its `SEED`; the variable of that name runs it alone, `SEEDS` as many as it
//! says.
#![expect(clippy::unwrap_used, reason = "tests")]

mod families;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use families::{Family, Feed, Item, Same, families};
use support::Random;
use weir::testing::Driver;

const ROWS: usize = 240;
/// Rows of a transaction, at most: what repartition topics mix up is bounded by it.
const TRANSACTION: usize = 16;
/// Milliseconds from a row to the next, at most.
const STEP: u64 = 8;
/// How far a row may lie behind those before it, in milliseconds.
const LATE: u64 = 40;
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

impl Random {
    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn key(&mut self) -> String {
        KEYS[self.below(8) as usize].to_owned()
    }
}

/// What a test sends: topic, key, value, time.
type Sent = (&'static str, String, Option<Item>, i64);

/// The rows of a seed, in the order in which they are sent.
fn rows(feed: &Feed, random: &mut Random) -> Vec<Sent> {
    let mut time = 1_000;
    let row = |number: usize| {
        let topic = match feed {
            Feed { right: false, .. } => "l",
            Feed { first: true, .. } if number < ROWS / 4 => "r",
            Feed { first: true, .. } => "l",
            _ => ["l", "r"][random.below(2) as usize],
        };
        time += 1 + random.below(STEP) as i64;
        let late = if feed.late && random.one_in(3) {
            random.below(LATE) as i64
        } else {
            0
        };
        let value = (random.key(), random.below(100) as i64);
        let deletes = feed.deletes && random.one_in(6);
        (
            topic,
            random.key(),
            (!deletes).then_some(value),
            time - late,
        )
    };
    (0..ROWS).map(row).collect()
}

/// For each key that came out, its rows: value and time.
type Answers = BTreeMap<String, Vec<(String, i64)>>;

/// Deaths at random steps.
struct Chaos {
    random: Random,
    deaths: usize,
}

impl Chaos {
    fn perhaps(&mut self, driver: &mut Driver) {
        match self.random.below(24) {
            0 | 1 => driver.crash(),
            2 => driver.lose_state(),
            _ => return,
        }
        self.deaths += 1;
    }
}

fn answers(family: &Family, seed: u64, partitions: u32, mut chaos: Option<Chaos>) -> Answers {
    let setup = Driver::setup().partitions(partitions);
    let mut driver = setup.start(family.service).unwrap();
    driver.hold_commits();
    let mut perhaps = |driver: &mut Driver| {
        if let Some(chaos) = &mut chaos {
            chaos.perhaps(driver);
        }
    };
    let mut pace = Random(seed ^ u64::from(partitions));
    let mut uncommitted = 0;
    let mut last = 0;
    for (number, (topic, key, value, at)) in rows(&family.feed, &mut Random(seed))
        .into_iter()
        .enumerate()
    {
        driver.topic(topic).at(at).queue(key, value);
        last = last.max(at);
        uncommitted += 1;
        perhaps(&mut driver);
        if pace.one_in(3) {
            driver.run();
            perhaps(&mut driver);
        }
        let turns = family.feed.first && number == ROWS / 4 - 1;
        if uncommitted == TRANSACTION || pace.one_in(10) || turns {
            driver.run();
            driver.commit();
            perhaps(&mut driver);
            uncommitted = 0;
        }
    }
    driver.release_commits();
    for flush in 0..24 {
        let key = format!("flush-{flush}");
        for topic in ["l", "r"].iter().take(1 + usize::from(family.feed.right)) {
            let topic = driver.topic(topic).at(last + 100_000);
            topic.queue(key.clone(), Some((key.clone(), 0_i64)));
        }
    }
    driver.run();
    let letters = driver.dead_letters();
    assert!(letters.is_empty(), "{}: {letters:?}", family.name);
    if let Some(chaos) = chaos {
        assert!(chaos.deaths > 0, "{}: nothing died", family.name);
    }
    collected(family.same, &mut driver)
}

/// What must be the same of the rows that came out.
fn collected(same: Same, driver: &mut Driver) -> Answers {
    let mut answers = Answers::new();
    for row in driver.topic::<String, String>("out").receive() {
        if !row.key.contains("flush") && !row.value.contains("flush") {
            let rows = answers.entry(row.key).or_default();
            rows.push((row.value, row.timestamp));
        }
    }
    for rows in answers.values_mut() {
        match same {
            Same::EachRow => {}
            Same::AnyOrder => rows.sort(),
            Same::Last | Same::LastValue => {
                rows.drain(..rows.len() - 1);
                rows.retain(|(value, _)| value != "None");
            }
        }
    }
    if let Same::LastValue = same {
        let rows = answers.values_mut().flatten();
        rows.for_each(|(_, timestamp)| *timestamp = 0);
    }
    answers.retain(|_, rows| !rows.is_empty());
    answers
}

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    match number("SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SEEDS").unwrap_or(3)).collect(),
    }
}

/// The first row that differs, with its key.
fn difference(expected: &Answers, found: &Answers) -> Option<String> {
    let mut keys = expected.keys().chain(found.keys());
    let key = keys.find(|key| expected.get(*key) != found.get(*key))?;
    let [expected, found] =
        [expected, found].map(|answers| answers.get(key).map_or(&[][..], |rows| rows));
    let same = expected
        .iter()
        .zip(found)
        .take_while(|(one, other)| one == other)
        .count();
    Some(format!(
        "{key}, row {same}: expected {:?}, found {:?}",
        expected.get(same),
        found.get(same)
    ))
}

#[test]
fn answers_depend_neither_on_partitions_nor_on_crashes() {
    for family in families() {
        let mut keys = 0;
        for seed in seeds() {
            let expected = answers(&family, seed, 1, None);
            keys += expected.len();
            for (partitions, dies) in [(1, true), (3, false), (3, true), (4, false), (4, true)] {
                let random = Random(!seed);
                let chaos = dies.then_some(Chaos { random, deaths: 0 });
                let found = answers(&family, seed, partitions, chaos);
                if let Some(difference) = difference(&expected, &found) {
                    let crashes = if dies { ", with crashes" } else { "" };
                    let name = family.name;
                    panic!("SEED={seed} {name}, {partitions} partitions{crashes}: {difference}");
                }
            }
        }
        assert!(
            keys >= 4 * seeds().len(),
            "{}: too few answers",
            family.name
        );
    }
}
