//! What a keyed topology says of a key depends neither on the number of partitions nor on where
//! processes and machines die.
//!
//! Random rows go through each family of keyed operators, over 1, 3 and 4 partitions, with
//! transactions of random length, crashes and lost machines at random steps; the oracle is one
//! partition that never fails. What is stream time to an operator depends on its other keys, and so
//! on partitions: therefore no row is later than the graces of the families allow, and far later
//! rows come at the end, in every partition, which close what is open.
//!
//! A failing run prints its `SEED`; the variable of that name runs it alone.
#![expect(clippy::unwrap_used, reason = "tests")]

mod families;

use std::collections::BTreeMap;

use families::{Family, Feed, Item, Same, families};
use weir::testing::Driver;

const ROWS: usize = 240;
/// Rows of a transaction, at most: what repartition topics mix up is bounded by it.
const TRANSACTION: usize = 16;
/// Milliseconds from a row to the next, at most.
const STEP: u64 = 8;
/// How far a row may lie behind those before it, in milliseconds.
const LATE: u64 = 40;
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// A small generator of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

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
            Same::Last => {
                rows.drain(..rows.len() - 1);
                rows.retain(|(value, _)| value != "None");
            }
        }
    }
    answers.retain(|_, rows| !rows.is_empty());
    answers
}

fn seeds() -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=12).collect(),
    }
}

#[test]
fn answers_depend_neither_on_partitions_nor_on_crashes() {
    let mut wrong = Vec::new();
    for family in families() {
        for seed in seeds() {
            let expected = answers(&family, seed, 1, None);
            assert!(expected.len() >= 4, "{}: {expected:?}", family.name);
            for partitions in [1, 3, 4] {
                for dies in [false, true] {
                    let chaos = dies.then(|| Chaos {
                        random: Random(!seed),
                        deaths: 0,
                    });
                    let found = answers(&family, seed, partitions, chaos);
                    let keys = expected.keys().chain(found.keys());
                    let differs = keys
                        .into_iter()
                        .find(|key| expected.get(*key) != found.get(*key));
                    if let Some(key) = differs {
                        wrong.push(format!(
                            "SEED={seed} {}, {partitions} partitions, crashes: {dies}\n  {key}\n  \
                             expected {:?}\n  found    {:?}",
                            family.name,
                            expected.get(key),
                            found.get(key),
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
