//! Stories of join windows.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::store::MemoryBackend;

const STORE: StoreId = StoreId(0);

fn overlay(backend: &MemoryBackend) -> Overlay {
    Overlay::new(Box::new(backend.clone()), &[false])
}

fn found(rows: &mut JoinWindow, task: &mut Overlay, key: &[u8], range: (i64, i64)) -> Vec<String> {
    let mut seen = Vec::new();
    let mut visit = |timestamp: i64, _: i64, value: &[u8]| {
        seen.push(format!("{timestamp} {}", value.escape_ascii()));
        ControlFlow::Continue(())
    };
    rows.fetch(task, key, range, &mut visit).unwrap();
    seen
}

fn wait(rows: &mut JoinWindow, task: &mut Overlay, key: &[u8], timestamp: i64) -> i64 {
    let arrival = rows.put(task, key, timestamp, b"v").unwrap();
    let value = format!("waits since {timestamp}").into_bytes();
    rows.wait(
        task,
        &Waiting {
            timestamp,
            key: key.to_vec(),
            arrival,
            value,
        },
    );
    arrival
}

#[test]
fn rows_of_one_key_and_timestamp_stay_apart_in_their_order() {
    let backend = MemoryBackend::new();
    let (mut task, mut rows) = (overlay(&backend), JoinWindow::new(STORE, 1000));
    for (timestamp, value) in [(20, "b1"), (10, "a"), (20, "b2")] {
        rows.put(&mut task, b"k", timestamp, value.as_bytes())
            .unwrap();
    }
    task.finish(&[]).unwrap();
    let (mut task, mut rows) = (overlay(&backend), JoinWindow::new(STORE, 1000));
    rows.put(&mut task, b"k", 20, b"b3").unwrap();
    rows.put(&mut task, b"k\0", 20, b"another key").unwrap();
    assert_eq!(
        found(&mut rows, &mut task, b"k", (10, 20)),
        ["10 a", "20 b1", "20 b2", "20 b3"]
    );
    assert_eq!(
        found(&mut rows, &mut task, b"k", (11, 19)),
        Vec::<String>::new()
    );
}

#[test]
fn a_row_as_old_as_the_retention_is_not_found() {
    let backend = MemoryBackend::new();
    let (mut task, mut rows) = (overlay(&backend), JoinWindow::new(STORE, 100));
    for timestamp in [0, 1, 100] {
        rows.put(&mut task, b"k", timestamp, b"v").unwrap();
    }
    assert_eq!(
        found(&mut rows, &mut task, b"k", (-1000, 1000)),
        ["1 v", "100 v"]
    );
}

#[test]
fn rows_that_wait_are_taken_when_due_by_timestamp_key_and_arrival() {
    let backend = MemoryBackend::new();
    let (mut task, mut rows) = (overlay(&backend), JoinWindow::new(STORE, 100));
    wait(&mut rows, &mut task, b"b", 20);
    wait(&mut rows, &mut task, b"a", 20);
    let joined = wait(&mut rows, &mut task, b"c", 10);
    wait(&mut rows, &mut task, b"a", 30);
    assert!(rows.stop_waiting(&mut task, b"c", 10, joined).unwrap());
    assert!(!rows.stop_waiting(&mut task, b"c", 10, joined).unwrap());
    task.finish(&[]).unwrap();
    rows.put(
        &mut task,
        b"z",
        10_000_000,
        b"a jump that empties the window",
    )
    .unwrap();
    rows.expire(&mut task).unwrap();
    let due = rows.take_due(&mut task, 30).unwrap();
    let due: Vec<_> = due
        .into_iter()
        .map(|row| (row.timestamp, row.key))
        .collect();
    assert_eq!(due, [(20, b"a".to_vec()), (20, b"b".to_vec())]);
    assert_eq!(rows.take_due(&mut task, 30).unwrap(), []);
    assert_eq!(
        rows.take_due(&mut task, 31).unwrap()[0].value,
        b"waits since 30"
    );
}

#[test]
fn rows_taken_by_a_call_that_failed_wait_again() {
    let backend = MemoryBackend::new();
    let (mut task, mut rows) = (overlay(&backend), JoinWindow::new(STORE, 100));
    wait(&mut rows, &mut task, b"a", 20);
    let before = task.savepoint();
    assert_eq!(rows.take_due(&mut task, 50).unwrap().len(), 1);
    task.rollback_to(&before);
    assert_eq!(rows.take_due(&mut task, 50).unwrap().len(), 1);
    wait(&mut rows, &mut task, b"a", 5);
    assert_eq!(
        rows.take_due(&mut task, 6).unwrap().len(),
        1,
        "a late row waits before the others"
    );
}
