//! Versioned tables and joins that wait, against small folds written from their definition.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use support::{Random, Sketch};
use weir_core::functions::FunctionId;
use weir_core::testing::{Closures, Driver};
use weir_core::topology::description::{JoinKind, Operator};

const SEEDS: u64 = 100;

/// A stream row: time, key, number.
type Sent = (i64, u8, usize);

/// All versions that a table has taken, of each key by timestamp; nothing is ever forgotten.
#[derive(Default)]
struct Versions {
    taken: BTreeMap<u8, BTreeMap<i64, Option<usize>>>,
    highest: i64,
}

impl Versions {
    fn put(&mut self, key: u8, time: i64, value: Option<usize>, history: i64) {
        if time >= self.highest - history {
            self.taken.entry(key).or_default().insert(time, value);
            self.highest = self.highest.max(time);
        }
    }

    fn get(&self, key: u8, time: i64, history: i64) -> Option<usize> {
        let versions = self.taken.get(&key)?;
        let (latest, value) = versions.last_key_value()?;
        if time < self.highest - history {
            return value.filter(|_| *latest <= time);
        }
        versions
            .range(..=time)
            .next_back()
            .and_then(|(_, value)| *value)
    }
}

/// The stream rows that wait, by the definition.
#[derive(Default)]
struct Waiting {
    rows: Vec<Sent>,
    highest: Option<i64>,
}

impl Waiting {
    /// The rows that leave with this one.
    fn take(&mut self, row: Sent, grace: Option<i64>) -> Vec<Sent> {
        let Some(grace) = grace else {
            return vec![row];
        };
        if self.highest.is_some_and(|highest| row.0 < highest - grace) {
            return vec![row];
        }
        let highest = self.highest.map_or(row.0, |highest| highest.max(row.0));
        self.highest = Some(highest);
        self.rows.push(row);
        let (mut leave, stay): (Vec<Sent>, Vec<Sent>) = self
            .rows
            .iter()
            .partition(|(time, ..)| *time <= highest - grace);
        self.rows = stay;
        leave.sort_unstable();
        leave
    }
}

fn driver(history: i64, grace: Option<i64>) -> Driver {
    let mut t = Sketch::default();
    let topic = || "stream".to_owned();
    let stream = t.node("stream", &[], Operator::Source { topic: topic() });
    let table = Operator::Table {
        topic: "table".to_owned(),
        store: Some("versions".to_owned()),
        history: Some(history),
    };
    let table = t.node("table", &[], table);
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Left,
        function: FunctionId(1),
        grace,
    };
    let join = t.node("join", &[stream, table], join);
    let topic = "out".to_owned();
    t.node("out", &[join], Operator::Sink { topic });
    let functions = Closures::default().combine(1, |_, left, right| {
        let right = right.unwrap_or(b"-");
        Ok(Some([left.unwrap(), b"|", right].concat()))
    });
    Driver::new("versions", &t.description, 1, functions).unwrap()
}

#[test]
fn a_row_meets_the_version_of_its_own_time() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut below = |bound: usize| i64::try_from(random.below(bound)).unwrap();
        let (history, grace) = (below(60), below(40));
        let grace = (below(2) == 0).then_some(grace.min(history));
        let mut driver = driver(history, grace);
        let (mut versions, mut waiting) = (Versions::default(), Waiting::default());
        let mut clock = 0;
        for number in 0..120 {
            clock += i64::try_from(random.below(8)).unwrap();
            let late = i64::try_from(random.below(80)).unwrap();
            let time = if random.below(2) == 0 {
                (clock - late).max(0)
            } else {
                clock
            };
            let key = b'a' + u8::try_from(random.below(3)).unwrap();
            let text = number.to_string();
            let mut expected = Vec::new();
            if random.below(2) == 0 {
                let value = (random.below(5) > 0).then_some(number);
                versions.put(key, time, value, history);
                let value = value.map(|_| text.as_bytes());
                driver.input("table").at(time).send(Some(&[key]), value);
            } else {
                for (time, key, number) in waiting.take((time, key, number), grace) {
                    let right = versions.get(key, time, history);
                    let right = right.map_or("-".to_owned(), |right| right.to_string());
                    expected.push((vec![key], format!("{number}|{right}"), time));
                }
                let input = driver.input("stream").at(time);
                input.send(Some(&[key]), Some(text.as_bytes()));
            }
            let out: Vec<_> = driver
                .output("out")
                .into_iter()
                .map(|row| {
                    let value = String::from_utf8(row.value.unwrap()).unwrap();
                    (row.key.unwrap(), value, row.timestamp)
                })
                .collect();
            assert_eq!(out, expected, "row {number}, SEED={seed}");
            match random.below(20) {
                0 => driver.lose_state(),
                1 => driver.crash(),
                _ => {}
            }
        }
        let kept = driver.store("versions").len();
        assert!(
            kept <= 1 + 3 * (usize::try_from(history).unwrap() + 1),
            "SEED={seed}"
        );
    }
}
