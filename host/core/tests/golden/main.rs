//! Kafka Streams' own answers, replayed natively: a folder of cases is named by `WEIR_GOLDEN`;
//! without it there is nothing to do.
//!
//! Each case of an operator that is built runs row by row, and again in batches of 1, 7 and 1000,
//! which must not change anything.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "where the cases lie is a setting of the test run"
)]

mod aggregates;
mod functions;
mod processors;
mod topology;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use weir_core::limits::Limits;
use weir_core::testing::{Driver, Row};

use value::Value;

fn cases() -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("WEIR_GOLDEN") else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    for family in std::fs::read_dir(Path::new(&root)).unwrap() {
        let files = std::fs::read_dir(family.unwrap().path()).unwrap();
        cases.extend(files.map(|file| file.unwrap().path()));
    }
    cases.sort();
    cases
}

fn driver(case: &Json, rows: usize, max_idle_ms: i64) -> Option<Driver> {
    let built = topology::build(case)?;
    let limits = Limits {
        max_batch_rows: rows,
        max_idle_ms,
        ..Limits::default()
    };
    let functions = Box::new(built.closures);
    Some(
        Driver::with(
            "golden",
            &built.description,
            &BTreeMap::new(),
            1,
            limits,
            functions,
        )
        .unwrap(),
    )
}

fn write(driver: &mut Driver, row: &Json, send: bool) {
    let [key, value] = [&row[1], &row[2]].map(|field| Value::of(field).bytes());
    let mut input = driver
        .input(row[0].as_str().unwrap())
        .at(row[3].as_i64().unwrap());
    for header in row[4].as_array().into_iter().flatten() {
        input = input.header(
            header[0].as_str().unwrap(),
            header[1].as_str().unwrap().as_bytes(),
        );
    }
    if send {
        input.send(key.as_deref(), value.as_deref())
    } else {
        input.queue(key.as_deref(), value.as_deref())
    }
}

/// A row as the case's steps have it.
fn bytes_of(json: &Json) -> Option<Vec<u8>> {
    match Value::of(json) {
        Value::Window(key, start, end) => {
            // A session's key has its end first; which it is the topic says, so this is asked with
            // the type known.
            let mut bytes = key.bytes()?;
            bytes.extend(end.to_be_bytes());
            bytes.extend(start.to_be_bytes());
            Some(bytes)
        }
        other => other.bytes(),
    }
}

fn expected(case: &Json, row: &Json) -> Row {
    let topic = row[0].as_str().unwrap();
    let windowed = case["topics"][topic]["key"]
        .as_str()
        .unwrap()
        .starts_with("windowed");
    let mut key = bytes_of(&row[1]);
    if windowed && let Some(bytes) = &mut key {
        let at = bytes.len() - 16;
        bytes.drain(at..at + 8);
    }
    let header = |header: &Json| {
        (
            header[0].as_str().unwrap().to_owned(),
            header[1].as_str().map(|text| text.as_bytes().to_vec()),
        )
    };
    Row {
        key,
        value: bytes_of(&row[2]),
        timestamp: row[3].as_i64().unwrap(),
        headers: row[4]
            .as_array()
            .into_iter()
            .flatten()
            .map(header)
            .collect(),
        partition: 0,
    }
}

fn outputs(case: &Json) -> Vec<String> {
    let topics = case["topics"].as_object().unwrap().iter();
    topics
        .filter(|(_, topic)| topic["role"] == "output")
        .map(|(name, _)| name.clone())
        .collect()
}

fn stores(driver: &Driver, case: &Json) -> Result<(), String> {
    for (name, store) in case["stores"].as_object().unwrap() {
        let mut want: Vec<(Vec<u8>, Vec<u8>, i64)> = Vec::new();
        let kind = store["kind"].as_str().unwrap();
        for entry in store["entries"].as_array().unwrap() {
            let mut key = bytes_of(&entry[0]).unwrap();
            if kind == "window" {
                let at = key.len() - 16;
                key.drain(at..at + 8);
            }
            want.push((
                key,
                bytes_of(&entry[1]).unwrap(),
                entry[2].as_i64().unwrap_or_default(),
            ));
        }
        let mut have: Vec<(Vec<u8>, Vec<u8>, i64)> = match kind {
            "window" => driver
                .windows(name)
                .into_iter()
                .map(|(key, start, value, timestamp)| {
                    (
                        [key, start.to_be_bytes().to_vec()].concat(),
                        value,
                        timestamp,
                    )
                })
                .collect(),
            "session" => driver
                .sessions(name)
                .into_iter()
                .map(|(key, start, end, value)| {
                    (
                        [
                            key,
                            end.to_be_bytes().to_vec(),
                            start.to_be_bytes().to_vec(),
                        ]
                        .concat(),
                        value,
                        0,
                    )
                })
                .collect(),
            "versioned" => driver.versions(name),
            "plain" => driver
                .store(name)
                .into_iter()
                .map(|(key, value, _)| (key, value, 0))
                .collect(),
            _ => driver.store(name),
        };
        want.sort();
        have.sort();
        if want != have {
            return Err(format!("store {name}:\n  want {want:?}\n  have {have:?}"));
        }
    }
    Ok(())
}

fn replay(case: &Json) -> Option<Result<(), String>> {
    let mut driver = driver(case, 1024, 0)?;
    for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        write(&mut driver, &step["in"], true);
        for topic in outputs(case) {
            let all = step["out"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row[0] == topic.as_str());
            let want: Vec<Row> = all.map(|row| expected(case, row)).collect();
            let have = driver.output(&topic);
            if want != have {
                return Some(Err(format!(
                    "step {number} {}, {topic}:\n  want {want:?}\n  have {have:?}",
                    step["in"]
                )));
            }
        }
    }
    Some(stores(&driver, case))
}

/// All rows at once, in batches of so many: what came out of each topic. An input that comes
/// through an internal topic is waited for, or its rows would meet others sooner or later as
/// batches are.
fn in_batches(case: &Json, rows: usize) -> BTreeMap<String, Vec<Row>> {
    let mut driver = driver(case, rows, 1).unwrap();
    for step in case["steps"].as_array().unwrap() {
        write(&mut driver, &step["in"], false);
    }
    driver.run();
    for _ in driver.topology().subtopologies().to_vec() {
        driver.advance(1);
    }
    outputs(case)
        .into_iter()
        .map(|topic| (topic.clone(), driver.output(&topic)))
        .collect()
}

#[test]
fn the_engine_answers_as_kafka_streams_does() {
    let (mut right, mut wrong, mut skipped) = (0, Vec::new(), 0);
    for path in cases() {
        let case: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let name = case["name"].as_str().unwrap().to_owned();
        match replay(&case) {
            None => skipped += 1,
            Some(Ok(())) => right += 1,
            Some(Err(difference)) => wrong.push(format!("{name}: {difference}")),
        }
    }
    let wrong_count = wrong.len();
    eprintln!("{right} right, {skipped} not built yet, {wrong_count} wrong");
    assert!(
        wrong.is_empty(),
        "{right} right, {skipped} not built yet, {wrong_count} wrong:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn batches_change_nothing() {
    for path in cases() {
        let case: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if topology::build(&case).is_none() {
            continue;
        }
        let one = in_batches(&case, 1);
        for rows in [7, 1000] {
            assert_eq!(
                in_batches(&case, rows),
                one,
                "{} in batches of {rows}",
                case["name"]
            );
        }
    }
}
