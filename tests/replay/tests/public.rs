//! The public cases, in all four ways. `cargo xtask test` builds the guest and says where it is.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use weir_golden::case::{self, Case};
use weir_replay::Replay;

/// The generic guest, which `cargo xtask guests` builds.
fn guest() -> PathBuf {
    let beside = || {
        let executable = std::env::current_exe().unwrap();
        executable.ancestors().nth(3).unwrap().join("components")
    };
    let components = std::env::var_os("WEIR_COMPONENTS").map_or_else(beside, PathBuf::from);
    components.join("tests/golden.wasm")
}

#[test]
fn natively_and_as_a_component_the_engine_answers_as_kafka_streams_does() {
    let replay = Replay::new(&guest()).unwrap();
    let mut wrong = Vec::new();
    let files = case::find(&[case::public()]).unwrap();
    for file in &files {
        let case = Case::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
        if let Err(difference) = replay.run(&case) {
            wrong.push(format!("{}: {}\n{difference}", case.name(), case.shows()));
        }
    }
    assert!(files.len() > 200, "{} cases", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
