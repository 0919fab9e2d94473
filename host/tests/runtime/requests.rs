//! Commands and queries.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use weir_host::http::Answer;
use weir_tests::row::NewRow;

use crate::stage::{Stage, ask, told};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_command_is_decided_once_and_its_row_and_its_note_are_there_when_it_is_answered() {
    let stage = Stage::set("decided");
    let host = stage.running("a", 2);
    let runtime = Runtime::new().unwrap();
    let told = |method: &str, path: &str, body: &str, within| {
        told(&runtime.block_on(ask(&host, method, path, "n1", body, within)))
    };
    assert_eq!(told("POST", "/notes/{id}", "first", SOON), "201 ");
    assert_eq!(told("GET", "/notes/{id}", "", Duration::ZERO), "200 first");
    assert_eq!(told("POST", "/notes/{id}", "first", SOON), "200 ");
    assert_eq!(told("POST", "/notes/{id}", "second", SOON), "409 ");
    let rows = stage.read("in", 1);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].key_text(), rows[0].value_text()), ("n1", "first"));
    assert_eq!(told("GET", "/latest/{id}", "", Duration::ZERO), "NotYet");
    host.stop();
}

#[test]
fn a_hundred_queries_wait_for_one_key_and_all_are_answered() {
    let stage = Stage::set("waiting");
    let host = stage.running("a", 1);
    let runtime = Runtime::new().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let host = host.clone();
        waiting.push(
            runtime.spawn(async move { ask(&host, "GET", "/latest/{id}", "k", "", SOON).await }),
        );
    }
    std::thread::sleep(Duration::from_millis(300));
    stage.client.produce(
        "waiting-table",
        [NewRow::new("other", "0"), NewRow::new("k", "7")],
    );
    for query in waiting {
        assert_eq!(told(&runtime.block_on(query).unwrap()), "200 7");
    }
    host.stop();
}

#[test]
fn a_query_that_finds_nothing_ends_with_its_time() {
    let stage = Stage::set("late");
    let host = stage.running("a", 1);
    let began = Instant::now();
    let within = Duration::from_millis(150);
    let runtime = Runtime::new().unwrap();
    let answer = runtime.block_on(ask(&host, "GET", "/notes/{id}", "never", "", within));
    assert_eq!(answer, Answer::NotYet);
    let took = began.elapsed();
    assert!(took >= within && took < Duration::from_secs(2), "{took:?}");
    host.stop();
}

#[test]
fn commands_at_a_steady_pace_are_answered_in_milliseconds() {
    let stage = Stage::set("pace");
    let host = stage.running("a", 1);
    let runtime = Runtime::new().unwrap();
    let mut took = Vec::new();
    for number in 0..100 {
        let began = Instant::now();
        let id = format!("n{number}");
        let answer = runtime.block_on(ask(&host, "POST", "/notes/{id}", &id, "x", SOON));
        assert_eq!(told(&answer), "201 ");
        took.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    took.sort();
    eprintln!("a command: p50 {:?}, p99 {:?}", took[50], took[98]);
    assert!(took[50] < Duration::from_millis(250), "{:?}", took[50]);
    host.stop();
}
