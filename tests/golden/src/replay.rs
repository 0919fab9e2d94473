//! Replaying a case on the engine's test driver.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;
use weir_core::functions::Functions;
use weir_core::limits::Limits;
use weir_core::testing::{Driver, Row};
use weir_core::topology::description::Description;

use crate::case::{Case, Key, bytes};
use crate::value::Value;

/// A topology as it was described, and what runs its functions.
pub type Subject = (Description, Box<dyn Functions>);

/// Row by row: each step's output must be what Kafka Streams made of the row, and the stores at the
/// end what it had. Errors: the row, what was expected and what came.
pub fn row_by_row(case: &Case, subject: Subject) -> Result<(), String> {
    let mut driver = driver(subject, 1024, 0)?;
    for (number, step) in case.steps().iter().enumerate() {
        write(&mut driver, &step["in"], true);
        for topic in case.outputs() {
            let (want, have) = (case.expected(step, topic), driver.output(topic));
            if want != have {
                let place = format!("step {number}, {}", step["in"]);
                return Err(difference(&place, topic, &want, &have));
            }
        }
    }
    stores(&driver, case)
}

/// All rows at once, taken in batches of up to `rows`: what every output topic has then. The size
/// of batches must not change it. (Behind an internal topic rows may stand in another order than in
/// the steps, where each row was waited for.)
pub fn all_at_once(case: &Case, subject: Subject, rows: usize) -> Result<Outputs, String> {
    let mut driver = driver(subject, rows, 1)?;
    for step in case.steps() {
        write(&mut driver, &step["in"], false);
    }
    driver.run();
    // An input that comes through an internal topic is waited for, or its rows would meet others
    // sooner or later as batches are.
    for _ in driver.topology().subtopologies().to_vec() {
        driver.advance(1);
    }
    let outputs = case.outputs().into_iter();
    Ok(outputs
        .map(|topic| (topic.to_owned(), driver.output(topic)))
        .collect())
}

/// The rows of each output topic.
pub type Outputs = BTreeMap<String, Vec<Row>>;

fn driver((description, functions): Subject, rows: usize, idle: i64) -> Result<Driver, String> {
    let limits = Limits {
        max_batch_rows: rows,
        max_idle_ms: idle,
        ..Limits::default()
    };
    let settings = BTreeMap::new();
    Driver::with("golden", &description, &settings, 1, limits, functions)
        .map_err(|errors| errors.to_string())
}

fn write(driver: &mut Driver, row: &Json, send: bool) {
    let [key, value] = [&row[1], &row[2]].map(|field| Value::of(field).bytes());
    let mut input = driver
        .input(row[0].as_str().unwrap())
        .at(row[3].as_i64().unwrap());
    for header in row[4].as_array().into_iter().flatten() {
        let [name, value] = [&header[0], &header[1]].map(|text| text.as_str().unwrap());
        input = input.header(name, value.as_bytes());
    }
    if send {
        input.send(key.as_deref(), value.as_deref());
    } else {
        input.queue(key.as_deref(), value.as_deref());
    }
}

/// Key, value and timestamp of an entry; of sessions and plain stores the timestamp is 0.
type Entry = (Vec<u8>, Vec<u8>, i64);

fn stores(driver: &Driver, case: &Case) -> Result<(), String> {
    for (name, store) in case.json["stores"].as_object().unwrap() {
        let kind = store["kind"].as_str().unwrap();
        let entries = store["entries"].as_array().unwrap().iter();
        let mut want: Vec<Entry> = entries.map(|entry| wanted(kind, entry)).collect();
        let mut have = kept(driver, kind, name);
        want.sort();
        have.sort();
        if want != have {
            let mut text = format!("store {name}:");
            let _fits = write!(text, "\n  want {want:?}\n  have {have:?}");
            return Err(text);
        }
    }
    Ok(())
}

fn wanted(kind: &str, entry: &Json) -> Entry {
    let key = if kind == "window" {
        Key::Window
    } else {
        Key::Other
    };
    (
        bytes(&entry[0], key).unwrap(),
        bytes(&entry[1], Key::Other).unwrap(),
        entry[2].as_i64().unwrap_or_default(),
    )
}

fn kept(driver: &Driver, kind: &str, name: &str) -> Vec<Entry> {
    match kind {
        "window" => {
            let windows = driver.windows(name).into_iter();
            windows
                .map(|(key, start, value, timestamp)| {
                    ([&key[..], &start.to_be_bytes()].concat(), value, timestamp)
                })
                .collect()
        }
        "session" => {
            let sessions = driver.sessions(name).into_iter();
            sessions
                .map(|(key, start, end, value)| {
                    let bounds = [end.to_be_bytes(), start.to_be_bytes()].concat();
                    ([key, bounds].concat(), value, 0)
                })
                .collect()
        }
        "plain" => {
            let entries = driver.store(name).into_iter();
            entries.map(|(key, value, _)| (key, value, 0)).collect()
        }
        "versioned" => driver.versions(name),
        _ => driver.store(name),
    }
}

/// What a topic should have had, and what it has.
pub(crate) fn difference(place: &str, topic: &str, want: &[Row], have: &[Row]) -> String {
    let mut text = format!("{place}, topic {topic}:");
    for (word, rows) in [("want", want), ("have", have)] {
        for row in rows {
            let _fits = write!(text, "\n  {word} {row:?}");
        }
        if rows.is_empty() {
            let _fits = write!(text, "\n  {word} nothing");
        }
    }
    text
}
