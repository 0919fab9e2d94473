//! Reading: sources by hand, readers to the end.

use std::time::Duration;

use weir_host::kafka::{Error, Partition, Partitioning, Reader};

use crate::worker::{
    Worker, at, cluster, no_wake, read, rows, source, topic, unique, until, values, write,
};

#[test]
fn partitions_come_and_go_and_a_held_one_loses_nothing() {
    let cluster = cluster();
    let topic = topic(&cluster, "lanes", 3);
    (0..3).for_each(|partition| write(&cluster, &topic, partition, &["a", "b", "c"]));
    let mut source = source(&cluster, "lanes");
    source
        .add(&[at(&topic, 0, 1), at(&topic, 1, 0)])
        .expect("a topic that is there");
    let held = Partition::new(&*topic, 1);
    source.hold(&held, true);
    let got = read(
        |into| source.poll(10, into).expect("offsets"),
        |all| values(all).len() >= 2,
    );
    assert!(got.iter().all(|rows| rows.partition == 0), "{got:?}");
    assert_eq!(values(&got), ["b", "c"]);

    source.hold(&held, false);
    source
        .remove(&[Partition::new(&*topic, 0)])
        .expect("a partition that is read");
    source
        .add(&[at(&topic, 2, 2)])
        .expect("a topic that is there");
    let got = read(
        |into| source.poll(10, into).expect("offsets"),
        |all| values(all).len() >= 4,
    );
    let of = |partition| {
        let rows = got
            .iter()
            .filter(|rows| rows.partition == partition)
            .cloned()
            .collect::<Vec<_>>();
        values(&rows)
    };
    assert_eq!(
        [of(0), of(1), of(2)],
        [vec![], vec!["a", "b", "c"], vec!["c"]]
    );

    source
        .rewind(&[at(&topic, 1, 1)])
        .expect("a partition that is read");
    let got = read(
        |into| source.poll(1, into).expect("offsets"),
        |all| values(all).len() >= 2,
    );
    assert_eq!(
        values(&got),
        ["b", "c"],
        "a row a poll, from the offset of the rewind on"
    );
}

#[test]
fn an_offset_that_is_gone_is_named_with_what_is_there() {
    let cluster = cluster();
    let topic = topic(&cluster, "gone", 1);
    write(&cluster, &topic, 0, &["a", "b", "c"]);
    cluster
        .delete_before(&[at(&topic, 0, 2)])
        .expect("offsets that are there");
    let mut source = source(&cluster, "gone");
    source
        .add(&[at(&topic, 0, 0)])
        .expect("a topic that is there");
    let mut error = None;
    until("the error", || {
        error = source.poll(10, &mut Vec::new()).err();
        error.is_some()
    });
    let Some(Error::OutOfRange {
        offset, first, end, ..
    }) = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (offset, first, end),
        (0, 2, 4),
        "3 rows and a marker were written"
    );
}

#[test]
fn a_reader_gives_all_that_was_there_and_then_follows() {
    let cluster = cluster();
    let (topic, empty) = (topic(&cluster, "whole", 2), topic(&cluster, "empty", 1));
    write(&cluster, &topic, 0, &["a", "b"]);
    write(&cluster, &topic, 1, &["c"]);
    let mut reader = Reader::new(&cluster, no_wake());
    let parts = [0, 1].map(|partition| Partition::new(&*topic, partition));
    let empty = Partition::new(&*empty, 0);
    reader
        .add(&[
            (parts[0].clone(), Some(1)),
            (parts[1].clone(), None),
            (empty.clone(), None),
        ])
        .expect("topics that are there");
    assert!(!reader.all_caught_up(), "not before it was polled");
    let mut all = Vec::new();
    until("the end", || {
        reader.poll(1, &mut all).expect("offsets that are there");
        reader.all_caught_up()
    });
    let mut seen = values(&all);
    seen.sort();
    assert_eq!(seen, ["b", "c"]);
    assert!(reader.caught_up(&empty));

    write(&cluster, &topic, 0, &["later"]);
    let got = read(
        |into| reader.poll(10, into).expect("offsets"),
        |all| !all.is_empty(),
    );
    assert_eq!(values(&got), ["later"]);
    let after = Partition::new(&*topic, 1);
    reader
        .remove(std::slice::from_ref(&after))
        .expect("a partition that is read");
    let error = reader
        .add(&[(after, Some(99))])
        .expect_err("it has 2 offsets");
    assert!(
        matches!(error, Error::OutOfRange { offset: 99, .. }),
        "{error}"
    );
}

#[test]
fn a_reader_waits_for_a_transaction_that_was_open_when_it_began() {
    let cluster = cluster();
    let topic = topic(&cluster, "undecided", 1);
    write(&cluster, &topic, 0, &["before"]);
    let mut worker = Worker::join(&cluster, &unique("undecided"), "worker", 1);
    worker.own(1);
    worker.producer.begin().expect("a transaction");
    worker
        .producer
        .produce(&topic, rows(&["undecided"]), Partitioning::One(0))
        .expect("room");
    let partition = Partition::new(&*topic, 0);
    until("the row on the broker", || {
        cluster
            .ends(std::slice::from_ref(&partition))
            .expect("brokers that answer")[&partition]
            == 3
    });
    let mut reader = Reader::new(&cluster, no_wake());
    reader
        .add(&[(partition, None)])
        .expect("a topic that is there");
    let mut all = Vec::new();
    for _ in 0..50 {
        reader.poll(10, &mut all).expect("offsets that are there");
        assert!(
            !reader.all_caught_up(),
            "the transaction is open: {:?}",
            values(&all)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    worker.commit(&[]).expect("the only member");
    until("the end", || {
        reader.poll(10, &mut all).expect("offsets that are there");
        reader.all_caught_up()
    });
    assert_eq!(values(&all), ["before", "undecided"]);
}
