//! Commands and queries.

use std::time::{Duration, Instant};

use weir_host::http::Answer;
use weir_tests::row::NewRow;

use crate::stage::{Stage, ask, told};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_decided_once_and_its_row_and_its_note_are_there_when_it_is_answered() {
    let stage = Stage::set("decided");
    let host = stage.running("a", 2);
    let post = |body: &'static str| ask(&host, "POST", "/notes/{id}", "n1", body, SOON);
    assert_eq!(told(&post("first").await), "201 ");
    let now = ask(&host, "GET", "/notes/{id}", "n1", "", Duration::ZERO).await;
    assert_eq!(told(&now), "200 first");
    assert_eq!(told(&post("first").await), "200 ");
    assert_eq!(told(&post("second").await), "409 ");
    let client = stage.client.clone();
    let rows = tokio::task::spawn_blocking(move || client.read("decided-in")).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].key_text(), rows[0].value_text()), ("n1", "first"));
    let unknown = ask(&host, "GET", "/notes/{id}", "n2", "", Duration::ZERO).await;
    assert_eq!(unknown, Answer::NotYet);
    tokio::task::spawn_blocking(move || host.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_queries_wait_for_one_key_and_all_are_answered() {
    let stage = Stage::set("waiting");
    let host = stage.running("a", 1);
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let host = host.clone();
        waiting.push(tokio::spawn(async move {
            ask(&host, "GET", "/latest/{id}", "k", "", SOON).await
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let client = stage.client.clone();
    let write = move || client.produce("waiting-table", [NewRow::new("other", "0"), NewRow::new("k", "7")]);
    tokio::task::spawn_blocking(write).await.unwrap();
    for query in waiting {
        assert_eq!(told(&query.await.unwrap()), "200 7");
    }
    tokio::task::spawn_blocking(move || host.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_finds_nothing_ends_with_its_time() {
    let stage = Stage::set("late");
    let host = stage.running("a", 1);
    let began = Instant::now();
    let answer = ask(&host, "GET", "/notes/{id}", "never", "", Duration::from_millis(150)).await;
    assert_eq!(answer, Answer::NotYet);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(2), "{took:?}");
    tokio::task::spawn_blocking(move || host.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_a_steady_pace_are_answered_in_milliseconds() {
    let stage = Stage::set("pace");
    let host = stage.running("a", 1);
    let mut took = Vec::new();
    for number in 0..100 {
        let began = Instant::now();
        let answer = ask(&host, "POST", "/notes/{id}", &format!("n{number}"), "x", SOON).await;
        assert_eq!(told(&answer), "201 ");
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    took.sort();
    println!("a command: p50 {:?}, p99 {:?}", took[50], took[98]);
    assert!(took[50] < Duration::from_millis(250), "{:?}", took[50]);
    tokio::task::spawn_blocking(move || host.stop()).await.unwrap();
}
