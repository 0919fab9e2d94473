//! Windows against small folds written from their definition: random rows, late ones and jumps of
//! time among them. `SEED` in the message of a failing run names the rows.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::{Random, Sketch};
use weir_core::codec::{session_key, windowed_key};
use weir_core::functions::{FunctionId, Step};
use weir_core::limits::Limits;
use weir_core::testing::{Closures, Driver};
use weir_core::topology::description::{Aggregator, Emit, Operator, Until, Window};

const SEEDS: u64 = 150;

/// A row of the stream: key, time and what it adds.
#[derive(Clone, Copy, Debug)]
struct Row {
    key: u8,
    time: i64,
    adds: i64,
}

/// A result: the key as topics carry it, the sum (`None`: a tombstone) and the timestamp.
type Sent = (Vec<u8>, Option<i64>, i64);

fn rows(random: &mut Random) -> Vec<Row> {
    let mut clock = 0;
    let mut below = |bound: usize| i64::try_from(random.below(bound)).unwrap();
    let row = |_| {
        clock += match below(12) {
            0 => below(400),
            1..=4 => 0,
            _ => below(12),
        };
        let late = if below(3) == 0 { below(60) } else { 0 };
        Row {
            key: b'a' + u8::try_from(below(3)).unwrap(),
            time: (clock - late).max(0),
            adds: 1 + below(9),
        }
    };
    (0..80).map(row).collect()
}

fn sums(window: Window, emit: Emit) -> Operator {
    Operator::Aggregate {
        aggregator: Aggregator::Function(FunctionId(1)),
        store: "sums".to_owned(),
        window: Some(window),
        emit,
        skip_null_values: false,
    }
}

fn number(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap()))
}

/// What the engine sends for the rows, in batches of random size.
fn sent(random: &mut Random, rows: &[Row], operators: &[Operator]) -> Vec<Sent> {
    let mut t = Sketch::default();
    let topic = "in".to_owned();
    let mut from = t.node("in", &[], Operator::Source { topic });
    for (number, operator) in operators.iter().enumerate() {
        from = t.node(&number.to_string(), &[from], operator.clone());
    }
    let topic = "out".to_owned();
    t.node("out", &[from], Operator::Sink { topic });
    let adder = Closures::default().fold(1, |step, left, right, row| {
        let added = if step == Step::Merge {
            right
        } else {
            row.value
        };
        Ok(Some((number(left) + number(added)).to_be_bytes().to_vec()))
    });
    let limits = Limits {
        max_batch_rows: 1 + random.below(30),
        ..Limits::default()
    };
    let facts = BTreeMap::new();
    let functions = Box::new(adder);
    let mut driver = Driver::with("sums", &t.description, &facts, 1, limits, functions).unwrap();
    for row in rows {
        let value = row.adds.to_be_bytes();
        let input = driver.input("in").at(row.time);
        input.queue(Some(&[row.key]), Some(&value));
        if random.below(20) == 0 {
            driver.run();
        }
        if random.below(40) == 0 {
            driver.lose_state();
        }
    }
    driver.run();
    let out = driver.output("out").into_iter();
    let sum = |value: Option<Vec<u8>>| value.map(|value| number(Some(&value)));
    out.map(|row| (row.key.unwrap(), sum(row.value), row.timestamp))
        .collect()
}

fn random_windows(random: &mut Random) -> [Window; 3] {
    let mut below = |bound: usize| i64::try_from(random.below(bound)).unwrap();
    let (size, grace) = (1 + below(40), below(50));
    let advance = 1 + below(usize::try_from(size).unwrap());
    let hopping = Window::Hopping {
        size,
        advance,
        grace,
    };
    let (gap, size) = (1 + below(20), below(40));
    [
        hopping,
        Window::Sliding { size, grace },
        Window::Session { gap, grace },
    ]
}

/// Every window that holds a row and has not closed takes it.
fn hopping(rows: &[Row], (size, advance, grace): (i64, i64, i64)) -> Vec<Sent> {
    let mut windows: BTreeMap<(u8, i64), (i64, i64)> = BTreeMap::new();
    let (mut sent, mut stream_time) = (Vec::new(), i64::MIN);
    for row in rows {
        stream_time = stream_time.max(row.time);
        let starts = (0..=row.time / advance).map(|number| number * advance);
        for start in starts.filter(|start| row.time < start + size) {
            if start + size > stream_time - grace {
                let (sum, time) = windows.entry((row.key, start)).or_insert((0, row.time));
                *sum += row.adds;
                *time = row.time.max(*time);
                sent.push((windowed_key(&[row.key], start), Some(*sum), *time));
            }
        }
    }
    sent
}

/// A row and all sessions that it touches become one; a session takes rows until gap and grace have
/// gone by since its end.
fn sessions(rows: &[Row], (gap, grace): (i64, i64)) -> Vec<Sent> {
    // By key, end and start.
    let mut open: BTreeMap<(u8, i64, i64), i64> = BTreeMap::new();
    let (mut sent, mut stream_time) = (Vec::new(), i64::MIN);
    for row in rows {
        stream_time = stream_time.max(row.time);
        open.retain(|(_, end, _), _| *end >= stream_time - gap - grace);
        let near = |&(key, end, start): &(u8, i64, i64)| {
            key == row.key && end >= row.time - gap && start <= row.time + gap
        };
        let old: Vec<_> = open.keys().copied().filter(near).collect();
        let start = old.iter().map(|old| old.2).fold(row.time, i64::min);
        let end = old.iter().map(|old| old.1).fold(row.time, i64::max);
        if end < stream_time - gap - grace {
            continue;
        }
        let mut sum = row.adds;
        for old in old {
            sum += open.remove(&old).unwrap();
            if (start, end) != (row.time, row.time) {
                sent.push((session_key(&[row.key], old.2, old.1), None, old.1));
            }
        }
        open.insert((row.key, end, start), sum);
        sent.push((session_key(&[row.key], start, end), Some(sum), end));
    }
    sent
}

/// The windows of a key as a set: one that ends at each row (the first ones begin at 0), one that
/// begins just after it if a row is in it; each with the sum of its rows.
fn sliding(rows: &[Row], size: i64) -> BTreeMap<Vec<u8>, i64> {
    let mut windows = BTreeMap::new();
    for key in rows.iter().map(|row| row.key).collect::<BTreeSet<u8>>() {
        let own: Vec<&Row> = rows.iter().filter(|row| row.key == key).collect();
        let starts = own
            .iter()
            .flat_map(|row| [(row.time - size).max(0), row.time + 1]);
        for start in starts {
            let held = own
                .iter()
                .filter(|row| (start..=start + size).contains(&row.time));
            let sums: Vec<i64> = held.map(|row| row.adds).collect();
            if !sums.is_empty() {
                windows.insert(windowed_key(&[key], start), sums.iter().sum());
            }
        }
    }
    windows
}

#[test]
fn hopping_windows_take_the_rows_that_they_hold_while_they_are_open() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (rows, [window, ..]) = (rows(random), random_windows(random));
        let Window::Hopping {
            size,
            advance,
            grace,
        } = window
        else {
            unreachable!();
        };
        let sent = sent(random, &rows, &[sums(window, Emit::OnUpdate)]);
        assert_eq!(
            sent,
            hopping(&rows, (size, advance, grace)),
            "SEED={seed} {window:?}"
        );
    }
}

#[test]
fn sessions_are_rows_with_no_longer_gap_between_them() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (rows, [.., window]) = (rows(random), random_windows(random));
        let Window::Session { gap, grace } = window else {
            unreachable!();
        };
        let sent = sent(random, &rows, &[sums(window, Emit::OnUpdate)]);
        assert_eq!(
            sent,
            sessions(&rows, (gap, grace)),
            "SEED={seed} {window:?}"
        );
    }
}

/// With a grace that no row outlives, the order of rows does not matter.
#[test]
fn sliding_windows_are_the_sets_of_rows_that_lie_near_each_other() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let rows = rows(random);
        let size = i64::try_from(random.below(50)).unwrap();
        let grace = 1_000_000;
        let window = Window::Sliding { size, grace };
        let updates = sent(random, &rows, &[sums(window, Emit::OnUpdate)]);
        let last: BTreeMap<Vec<u8>, i64> = updates
            .into_iter()
            .map(|(key, sum, _)| (key, sum.unwrap()))
            .collect();
        assert_eq!(last, sliding(&rows, size), "SEED={seed} {window:?}");
    }
}

/// What is sent on close is the last of the updates that would have been sent, of every window that
/// has closed, each once.
#[test]
fn on_close_each_window_is_sent_once_with_its_last_update() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let rows = rows(random);
        for window in random_windows(random) {
            let updates = sent(random, &rows, &[sums(window, Emit::OnUpdate)]);
            let closed = sent(random, &rows, &[sums(window, Emit::OnWindowClose)]);
            let mut last: BTreeMap<Vec<u8>, (Option<i64>, i64)> = BTreeMap::new();
            for (key, sum, timestamp) in updates {
                last.insert(key, (sum, timestamp));
            }
            let stream_time = rows.iter().map(|row| row.time).max().unwrap();
            // Hopping windows have closed when stream time reaches their end and grace, the others
            // when it has passed it.
            let inclusive = matches!(window, Window::Hopping { .. });
            last.retain(|key, (sum, _)| {
                let close = window.closes_at(key).unwrap();
                sum.is_some() && (close < stream_time || (inclusive && close == stream_time))
            });
            let count = closed.len();
            let sent: BTreeMap<_, _> = closed
                .into_iter()
                .map(|(key, sum, timestamp)| (key, (sum, timestamp)))
                .collect();
            assert_eq!(count, sent.len(), "SEED={seed} {window:?}: each once");
            assert_eq!(sent, last, "SEED={seed} {window:?}");
        }
    }
}

/// No update of a hopping window comes after its close, so holding updates back until then is the
/// same as sending on close; even the order is.
#[test]
fn suppress_until_windows_close_is_emission_on_close() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (rows, [window, ..]) = (rows(random), random_windows(random));
        let suppress = Operator::Suppress {
            store: "held".to_owned(),
            until: Until::WindowCloses,
        };
        let held = sent(random, &rows, &[sums(window, Emit::OnUpdate), suppress]);
        let closed = sent(random, &rows, &[sums(window, Emit::OnWindowClose)]);
        assert_eq!(held, closed, "SEED={seed} {window:?}");
    }
}

/// Two streams of one cogroup are as one stream of both, where nothing is late.
#[test]
fn a_cogroup_of_two_streams_is_the_aggregate_of_both() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (rows, [window, ..]) = (rows(random), random_windows(random));
        let window = match window {
            Window::Hopping { size, advance, .. } => Window::Hopping {
                size,
                advance,
                grace: 1_000_000,
            },
            other => other,
        };
        let mut t = Sketch::default();
        let source = |topic: &str| Operator::Source {
            topic: topic.to_owned(),
        };
        let [one, two] = ["one", "two"].map(|topic| t.node(topic, &[], source(topic)));
        let cogroup = t.node("sums", &[one, two], sums(window, Emit::OnUpdate));
        let topic = "out".to_owned();
        t.node("out", &[cogroup], Operator::Sink { topic });
        // The second stream's rows count twice.
        let adder = Closures::default().fold(1, |_, left, _, row| {
            let sum = number(left) + number(row.value) * i64::from(row.input + 1);
            Ok(Some(sum.to_be_bytes().to_vec()))
        });
        let mut driver = Driver::new("sums", &t.description, 1, adder).unwrap();
        let mut as_one = Vec::new();
        for row in &rows {
            let two = random.below(2) == 1;
            let input = driver.input(if two { "two" } else { "one" }).at(row.time);
            input.send(Some(&[row.key]), Some(&row.adds.to_be_bytes()));
            let adds = if two { row.adds * 2 } else { row.adds };
            as_one.push(Row { adds, ..*row });
        }
        let out = driver.output("out").into_iter();
        let out: Vec<_> = out.map(|row| (row.key, row.value, row.timestamp)).collect();
        let wanted = sent(random, &as_one, &[sums(window, Emit::OnUpdate)]);
        let bytes = |sum: Option<i64>| sum.map(|sum| sum.to_be_bytes().to_vec());
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(key, sum, timestamp)| (Some(key), bytes(sum), timestamp))
            .collect();
        assert_eq!(out, wanted, "SEED={seed} {window:?}");
    }
}
