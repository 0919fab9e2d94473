//! Stories of partition groups.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const ALL: Cut = Cut {
    rows: 1000,
    bytes: usize::MAX,
    stream_time: None,
};
const NOW: Timestamp = Timestamp(1_000_000);

fn send(group: &mut PartitionGroup, input: usize, first_offset: i64, timestamps: &[i64]) {
    let mut rows = Batch::default();
    for timestamp in timestamps {
        let key = timestamp.to_string();
        rows.push_with_headers(
            Some(key.as_bytes()),
            None,
            *timestamp,
            [("t", Some(key.as_bytes()))],
        );
    }
    let offsets = (first_offset..).take(timestamps.len()).collect();
    group.enqueue(input, rows, offsets);
}

/// As [`send`], and the input has no more rows for now.
fn send_all(group: &mut PartitionGroup, input: usize, first_offset: i64, timestamps: &[i64]) {
    send(group, input, first_offset, timestamps);
    group.reach_end(input);
}

fn run(group: &mut PartitionGroup, cut: Cut) -> Run {
    match group.next(NOW, cut) {
        Next::Run(run) => run,
        other => panic!("no run but {other:?}"),
    }
}

/// Input and timestamp of each row, in the order of sequences; checks that a row is whole.
fn order(run: &Run) -> Vec<(usize, i64)> {
    let mut rows = vec![None; run.stream_times.len()];
    for part in &run.parts {
        part.rows.check().unwrap();
        for (row, &sequence) in part.sequences.iter().enumerate() {
            let timestamp = part.rows.timestamps[row];
            assert_eq!(
                part.rows.keys.get(row).unwrap(),
                timestamp.to_string().as_bytes()
            );
            let header = part.rows.headers.as_ref().unwrap().row(row).next().unwrap();
            assert_eq!(header.1, part.rows.keys.get(row));
            rows[sequence as usize] = Some((part.input, timestamp));
        }
    }
    rows.into_iter()
        .map(|row| row.expect("every sequence has a row"))
        .collect()
}

#[test]
fn the_row_with_the_lowest_timestamp_goes_first_and_the_first_input_of_equals() {
    let mut group = PartitionGroup::new(2, 0);
    send_all(&mut group, 1, 0, &[10, 5, 30]);
    send_all(&mut group, 0, 0, &[10, 20, 30]);
    let run = run(&mut group, ALL);
    assert_eq!(
        order(&run),
        [(0, 10), (1, 10), (1, 5), (0, 20), (0, 30), (1, 30)]
    );
    assert_eq!(run.stream_times, [10, 10, 10, 20, 30, 30]);
    assert_eq!((group.position(0), group.position(1)), (Some(3), Some(3)));
    assert_eq!(group.next(NOW, ALL), Next::Idle);
}

#[test]
fn a_whole_batch_is_moved_and_not_copied() {
    let mut group = PartitionGroup::new(1, 0);
    let mut rows = Batch::default();
    rows.push(Some(b"a long enough key"), Some(b"v"), 1);
    let bytes = rows.keys.bytes().as_ptr();
    group.enqueue(0, rows, vec![7]);
    let run = run(&mut group, ALL);
    assert_eq!(run.parts[0].rows.keys.bytes().as_ptr(), bytes);
    assert_eq!(
        (&run.parts[0].offsets[..], group.position(0)),
        (&[7][..], Some(8))
    );
}

#[test]
fn runs_are_cut_by_rows_and_by_bytes_and_lose_nothing() {
    for (rows, bytes) in [
        (1, usize::MAX),
        (2, usize::MAX),
        (7, usize::MAX),
        (1000, 4),
        (1000, 0),
    ] {
        let mut group = PartitionGroup::new(1, 0);
        send(&mut group, 0, 10, &[1, 2, 3, 4, 5]);
        send(&mut group, 0, 15, &[6, 7]);
        send(&mut group, 0, 20, &[8]);
        let mut seen = Vec::new();
        while group.buffered(0) > 0 {
            let run = run(
                &mut group,
                Cut {
                    rows,
                    bytes,
                    stream_time: None,
                },
            );
            assert!(run.stream_times.len() <= rows.min(bytes.max(1)));
            seen.extend(order(&run).into_iter().map(|(_, timestamp)| timestamp));
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((group.position(0), group.buffered_bytes(0)), (Some(21), 0));
    }
}

#[test]
fn a_run_ends_with_the_row_that_makes_a_punctuation_due() {
    let mut group = PartitionGroup::new(1, 0);
    send(&mut group, 0, 0, &[1, 9, 10, 3, 11]);
    let due = |time| Cut {
        stream_time: Some(Timestamp(time)),
        ..ALL
    };
    assert_eq!(run(&mut group, due(10)).stream_times, [1, 9, 10]);
    assert_eq!(run(&mut group, due(20)).stream_times, [10, 11]);
    assert_eq!(group.stream_time(), Timestamp(11));
}

#[test]
fn an_input_that_has_more_rows_than_have_come_is_waited_for_however_long() {
    let mut group = PartitionGroup::new(2, 0);
    send(&mut group, 0, 0, &[10, 30]);
    let waiting = Next::Waiting { until: None };
    assert_eq!(group.next(NOW, ALL), waiting, "nothing is known of input 1");
    send(&mut group, 1, 0, &[20]);
    let first = run(&mut group, ALL);
    assert_eq!(
        order(&first),
        [(0, 10), (1, 20)],
        "its next row might be 25"
    );
    let later = Timestamp(i64::MAX);
    assert_eq!(group.next(later, ALL), waiting);
    send_all(&mut group, 1, 1, &[25]);
    assert_eq!(order(&run(&mut group, ALL)), [(1, 25), (0, 30)]);
}

#[test]
fn an_input_at_its_end_is_waited_for_up_to_the_limit_and_then_no_more() {
    let mut group = PartitionGroup::new(2, 100);
    send_all(&mut group, 0, 0, &[10, 30]);
    group.reach_end(1);
    let until = |timestamp: i64| Next::Waiting {
        until: Some(Timestamp(timestamp)),
    };
    assert_eq!(group.next(NOW, ALL), until(NOW.0 + 100));
    assert_eq!(group.next(Timestamp(NOW.0 + 99), ALL), until(NOW.0 + 100));
    send_all(&mut group, 1, 0, &[20]);
    let first = run(&mut group, ALL);
    assert_eq!(
        order(&first),
        [(0, 10), (1, 20)],
        "input 1 is empty now: 30 might be too early"
    );
    let later = Timestamp(NOW.0 + 150);
    assert_eq!(group.next(later, ALL), until(later.0 + 100));
    let Next::Run(rest) = group.next(Timestamp(later.0 + 100), ALL) else {
        panic!("time is up")
    };
    assert_eq!(order(&rest), [(0, 30)]);
    send_all(&mut group, 0, 2, &[40]);
    let Next::Run(rest) = group.next(Timestamp(later.0 + 101), ALL) else {
        panic!("still up")
    };
    assert_eq!(order(&rest), [(0, 40)]);
}

#[test]
fn with_no_idle_time_inputs_at_their_end_hold_nothing_back() {
    let mut group = PartitionGroup::new(2, 0);
    send_all(&mut group, 0, 0, &[10, 30]);
    send_all(&mut group, 1, 0, &[20]);
    assert_eq!(order(&run(&mut group, ALL)), [(0, 10), (1, 20), (0, 30)]);
}

#[test]
#[should_panic(expected = "offset 4 of input 0 comes after 5")]
fn a_row_is_never_taken_twice() {
    let mut group = PartitionGroup::new(1, 0);
    group.resume(0, 5);
    send(&mut group, 0, 4, &[1]);
}
