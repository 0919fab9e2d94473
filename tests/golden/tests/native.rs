//! Kafka Streams' own answers, replayed on the engine with closures as functions: without Wasm,
//! Kafka and RocksDB, in seconds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use weir_golden::case::{self, Case};
use weir_golden::replay::{Subject, all_at_once, row_by_row};
use weir_golden::topology;

fn cases() -> Vec<Case> {
    let files: Vec<PathBuf> = case::find(&[case::public()]).unwrap();
    let read = |file: &PathBuf| Case::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
    files.iter().map(read).collect()
}

fn native(case: &Case) -> Result<Subject, String> {
    let (description, closures) = topology::build(&case.declaration())?;
    Ok((description, Box::new(closures)))
}

#[test]
fn the_engine_answers_as_kafka_streams_does() {
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        if let Err(difference) = native(case).and_then(|subject| row_by_row(case, subject)) {
            wrong.push(format!("{}: {}\n{difference}", case.name(), case.shows()));
        }
    }
    let right = cases.len() - wrong.len();
    assert!(
        wrong.is_empty(),
        "{right} right, {} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn batches_change_nothing() {
    for case in cases() {
        let batched = |rows| all_at_once(&case, native(&case).unwrap(), rows).unwrap();
        let one = batched(1);
        for rows in [7, 1000] {
            assert_eq!(batched(rows), one, "{} in batches of {rows}", case.name());
        }
    }
}
