//! Rows in, rows out.

use std::time::Instant;

use weir_host::config::{OnFailure, Settings};
use weir_host::runtime::Status;
use weir_tests::wait;

use crate::notes::Notes;
use crate::stage::Stage;

#[test]
fn rows_flow_through_and_are_counted() {
    let stage = Stage::set("flow");
    let host = stage.running("a", 1);
    stage.send(&[("x", "1"), ("y", "2"), ("x", "3")]);
    let rows = stage.read("out", 3);
    let mut shown: Vec<_> = rows
        .iter()
        .map(|row| format!("{}={}", row.key_text(), row.value_text()))
        .collect();
    shown.sort();
    assert_eq!(shown, ["x=v1:1", "x=v1:3", "y=v1:2"]);
    stage.read("counts", 3);
    assert_eq!((stage.count("x"), stage.count("y")), (2, 1));
    host.stop();
}

#[test]
fn rows_that_fail_become_dead_letters_and_their_neighbours_go_on() {
    let stage = Stage::set("letters");
    let host = stage.running("a", 2);
    stage.send(&[
        ("x", "1"),
        ("x", "bad"),
        ("x", "2"),
        ("x", "trap"),
        ("x", "3"),
    ]);
    let rows = stage.read("out", 3);
    let values: Vec<_> = rows.iter().map(|row| row.value_text()).collect();
    assert_eq!(values, ["v1:1", "v1:2", "v1:3"]);
    let letters = stage
        .client
        .read_until("letters.dead-letters", |rows| rows.len() >= 2);
    assert_eq!(
        (letters[0].key_text(), letters[0].value_text()),
        ("x", "bad")
    );
    let header = |row: usize, name| letters[row].header(name);
    assert_eq!(header(0, "reason"), Some("bad is bad"));
    assert_eq!(header(0, "node"), Some("mark"));
    assert_eq!(header(0, "topic"), Some("letters-in"));
    assert_eq!(header(0, "offset"), Some("1"));
    assert_eq!(header(0, "service"), Some("letters"));
    assert_eq!(header(1, "reason"), Some("unreachable"));
    assert_eq!(header(1, "backtrace"), Some("0: mark"));
    host.stop();
}

#[test]
fn under_the_policy_stop_the_service_stops_in_front_of_the_row() {
    let stage = Stage::set("stopping");
    let host = stage.host("a");
    let settings = Settings {
        on_failure: OnFailure::Stop,
        ..Settings::default()
    };
    host.deploy_program("stopping", Notes::new("stopping", "v1:"), &settings)
        .unwrap();
    stage.wait_for_tasks(&[&host], 8);
    stage.send(&[("x", "1")]);
    stage.read("out", 1);
    stage.send(&[("x", "bad"), ("x", "2")]);
    let reason = wait::until("the service fails", || match &host.statuses()["stopping"] {
        Status::Failed(reason) => Some(reason.clone()),
        _ => None,
    });
    assert!(
        reason.starts_with("stopped in front of stopping-in/"),
        "{reason}"
    );
    assert!(reason.contains("node `mark`: bad is bad"), "{reason}");
    assert_eq!(stage.client.read("stopping-out").len(), 1);

    // Another policy, and it goes on where it stopped.
    let settings = Settings {
        on_failure: OnFailure::Skip,
        ..Settings::default()
    };
    host.deploy_program("stopping", Notes::new("stopping", "v1:"), &settings)
        .unwrap();
    let rows = stage.read("out", 2);
    assert_eq!(rows[1].value_text(), "v1:2");
    host.stop();
}

#[test]
fn a_service_waits_for_topics_that_are_missing_and_says_which() {
    let broker = weir_tests::broker::shared();
    let stage = Stage::bare("missing", &broker.bootstrap());
    let host = stage.host("a");
    host.deploy_program(
        "missing",
        Notes::new("missing", "v1:"),
        &Settings::default(),
    )
    .unwrap();
    wait::until(
        "it says what it waits for",
        || match &host.statuses()["missing"] {
            Status::Starting(Some(why)) if why.contains("topic `missing-in`") => Some(()),
            _ => None,
        },
    );
    for topic in Notes::topics("missing") {
        stage.client.create_topic(&topic, 2, &[]);
    }
    stage.wait_for_tasks(&[&host], 4);
    wait::until("it runs", || {
        host.statuses()["missing"].is_running().then_some(())
    });
    host.stop();
}

#[test]
fn many_rows_are_all_counted_once() {
    let stage = Stage::set("many");
    let host = stage.running("a", 2);
    let rows: Vec<(String, String)> = (0..20_000)
        .map(|row| (format!("k{}", row % 100), row.to_string()))
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    stage.send(&rows);
    let began = Instant::now();
    let out = stage.read("out", 20_000);
    assert_eq!(out.len(), 20_000);
    eprintln!("20000 rows after {:?}", began.elapsed());
    let counts = stage.read("counts", 20_000);
    let mut last = std::collections::BTreeMap::new();
    for row in counts {
        let bytes = row.value.unwrap();
        last.insert(
            row.key.unwrap(),
            u64::from_be_bytes(bytes.try_into().unwrap()),
        );
    }
    assert!(
        last.len() == 100 && last.values().all(|count| *count == 200),
        "{last:?}"
    );
    host.stop();
}
