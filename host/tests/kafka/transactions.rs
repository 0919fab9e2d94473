//! Transactions: what they hold, and what becomes of rows when they end.

use std::time::Duration;

use weir_core::record::Batch;
use weir_host::kafka::{Cluster, Committed, Error, Partition, Partitioning, Producer, Reader};

use crate::worker::{
    Worker, at, cluster, no_wake, now, read, rows, settings, source, topic, unique, until, values,
};

#[test]
fn rows_positions_and_metadata_are_committed_together() {
    let cluster = cluster();
    let service = unique("together");
    let (input, output) = (topic(&cluster, "input", 2), topic(&cluster, "output", 3));
    let mut worker = Worker::join(&cluster, &service, "worker", 1);
    worker.own(1);
    worker.producer.begin().expect("a transaction");
    let partitions = [2, 0, 2];
    worker
        .producer
        .produce(
            &output,
            rows(&["a", "b", "c"]),
            Partitioning::Each(&partitions),
        )
        .expect("room in the queue");
    let positions = [
        (at(&input, 0, 17), "stream time 5".to_owned()),
        (at(&input, 1, 3), String::new()),
    ];
    let ends = worker.commit(&positions).expect("the only member");
    let output = |partition| Partition::new(&*output, partition);
    assert_eq!(
        [0, 1, 2].map(|partition| ends.of(&output(partition))),
        [Some(1), None, Some(2)]
    );

    let asked = [0, 1].map(|partition| Partition::new(&*input, partition));
    let committed = source(&cluster, &service)
        .committed(&asked, Duration::from_secs(10))
        .expect("brokers that answer");
    assert_eq!(
        committed[&asked[0]],
        Committed {
            offset: 17,
            metadata: "stream time 5".to_owned()
        }
    );
    assert_eq!(
        committed[&asked[1]],
        Committed {
            offset: 3,
            metadata: String::new()
        }
    );

    worker.producer.begin().expect("a transaction");
    worker
        .producer
        .produce(&asked[0].topic, rows(&["x"]), Partitioning::One(0))
        .expect("room");
    let ends = worker.commit(&[]).expect("a transaction without positions");
    assert_eq!(
        ends.iter().count(),
        1,
        "each transaction has its own ends: {ends:?}"
    );
}

#[test]
fn keys_values_timestamps_and_headers_come_as_they_went() {
    let cluster = cluster();
    let topic = topic(&cluster, "faithful", 1);
    let stamp = now() - 12_345;
    let mut sent = Batch::default();
    sent.push(Some(b"key"), Some(b"value"), stamp);
    sent.push(None, Some(b""), stamp - 1);
    sent.push(Some(b""), None, stamp + 1);
    let headers: [(&str, Option<&[u8]>); 4] = [
        ("twice", Some(b"1")),
        ("other", None),
        ("twice", Some(b"2")),
        ("", Some(b"")),
    ];
    sent.push_with_headers(Some(&[0, 255]), Some(&[7; 300]), stamp, headers);
    let mut worker = Worker::join(&cluster, &unique("faithful"), "worker", 1);
    worker.own(1);
    worker.producer.begin().expect("a transaction");
    worker
        .producer
        .produce(&topic, sent.clone(), Partitioning::One(0))
        .expect("room in the queue");
    worker.commit(&[]).expect("the only member");

    let mut source = source(&cluster, "faithful");
    source
        .add(&[at(&topic, 0, 0)])
        .expect("a topic that is there");
    let got = read(
        |into| source.poll(100, into).expect("offsets that are there"),
        |all| all.iter().map(|rows| rows.rows.len()).sum::<usize>() == 4,
    );
    let mut together = Batch::default();
    for rows in &got {
        (0..rows.rows.len()).for_each(|row| together.push_row_of(&rows.rows, row));
    }
    assert_eq!(together, sent);
    assert_eq!(
        got.iter()
            .flat_map(|rows| rows.offsets.clone())
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
}

#[test]
fn rows_wait_for_a_batch_until_they_are_to_go_or_their_transaction_is_to_end() {
    let mut settings = settings();
    settings.transaction_timeout = Duration::from_mins(5);
    let linger = ("linger.ms".to_owned(), "240000".to_owned());
    settings.properties.extend([linger]);
    let cluster = Cluster::connect(settings).expect("settings that librdkafka knows");
    let topic = topic(&cluster, "patient", 1);
    let partition = Partition::new(&*topic, 0);
    let end = || {
        cluster
            .ends(std::slice::from_ref(&partition))
            .expect("a topic")[&partition]
    };
    let mut worker = Worker::join(&cluster, &unique("patient"), "worker", 1);
    worker.own(1);
    for round in 0..3 {
        worker.producer.begin().expect("a transaction");
        worker
            .producer
            .produce(&topic, rows(&["now"]), Partitioning::One(0))
            .expect("room");
        worker.producer.send();
        until("a row of an open transaction", || end() == 3 * round + 1);
        worker
            .producer
            .produce(&topic, rows(&["later"]), Partitioning::One(0))
            .expect("room");
        worker.commit(&[]).expect("the only member");
        until("a row and a marker more", || end() == 3 * round + 3);
    }
}

#[test]
fn values_are_kept_until_their_transaction_has_ended_either_way() {
    let cluster = cluster();
    let topic = topic(&cluster, "kept", 1);
    let mut worker = Worker::join(&cluster, &unique("keeping"), "worker", 1);
    worker.own(1);
    for keep in [true, false, true] {
        worker.producer.begin().expect("a transaction");
        for rows in [rows(&["one", "two"]), rows(&["three"])] {
            let produced = worker.producer.produce(&topic, rows, Partitioning::One(0));
            produced.expect("room");
        }
        assert_eq!(worker.producer.kept_bytes(), "onetwothree".len());
        if keep {
            worker.commit(&[]).map(drop).expect("the only member");
        } else {
            worker.producer.abort().expect("an open transaction");
        }
        assert_eq!(worker.producer.kept_bytes(), 0);
    }
}

#[test]
fn aborted_rows_are_never_read() {
    let cluster = cluster();
    let topic = topic(&cluster, "aborted", 1);
    let mut worker = Worker::join(&cluster, &unique("aborting"), "worker", 1);
    worker.own(1);
    for (value, keep) in [("one", true), ("two", false), ("three", true)] {
        worker.producer.begin().expect("a transaction");
        worker
            .producer
            .produce(&topic, rows(&[value]), Partitioning::One(0))
            .expect("room");
        if keep {
            worker.commit(&[]).map(drop).expect("the only member");
        } else {
            worker.producer.abort().expect("an open transaction");
        }
    }
    let mut source = source(&cluster, "reading");
    source
        .add(&[at(&topic, 0, 0)])
        .expect("a topic that is there");
    let got = read(
        |into| source.poll(100, into).expect("offsets that are there"),
        |all| values(all).len() >= 2,
    );
    assert_eq!(values(&got), ["one", "three"]);
}

#[test]
fn a_producer_that_comes_back_ends_its_orphan_and_fences_the_old_one() {
    let cluster = cluster();
    let service = unique("orphan");
    let topic = topic(&cluster, "orphan", 1);
    let mut worker = Worker::join(&cluster, &service, "worker", 1);
    worker.own(1);
    worker.producer.begin().expect("a transaction");
    worker
        .producer
        .produce(&topic, rows(&["orphan"]), Partitioning::One(0))
        .expect("room");

    let mut back =
        Producer::open(&cluster, &format!("{service}-worker"), 1_000_000).expect("brokers");
    back.begin().expect("a transaction");
    back.produce(&topic, rows(&["after"]), Partitioning::One(0))
        .expect("room in the queue");
    let group = worker.membership.group_metadata().expect("a member");
    back.commit(&[], &group).expect("the newer producer");
    let fenced = worker.commit(&[]).expect_err("the older producer");
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");

    let partition = Partition::new(&*topic, 0);
    let mut reader = Reader::new(&cluster, no_wake());
    reader
        .add(&[(partition, None)])
        .expect("a topic that is there");
    let mut all = Vec::new();
    until("the end", || {
        reader.poll(100, &mut all).expect("offsets that are there");
        reader.all_caught_up()
    });
    assert_eq!(values(&all), ["after"]);
}

#[test]
fn a_row_the_broker_refuses_makes_the_commit_abortable_and_is_named() {
    let cluster = cluster();
    let service = unique("refused");
    let compacted = unique("compacted");
    cluster
        .ensure(&[weir_host::kafka::Topic::compacted(&compacted, 1)])
        .expect("a new topic");
    let mut worker = Worker::join(&cluster, &service, "worker", 1);
    worker.own(1);
    worker.producer.begin().expect("a transaction");
    let mut keyless = Batch::default();
    keyless.push(None, Some(b"v"), now());
    worker
        .producer
        .produce(&compacted, keyless, Partitioning::One(0))
        .expect("room in the queue");
    let error = worker.commit(&[]).expect_err("compaction needs keys");
    assert!(matches!(error, Error::Abortable { .. }), "{error}");
    assert!(error.to_string().contains(&compacted), "{error}");
    let error = worker
        .producer
        .abort()
        .expect_err("a sequence number is lost");
    assert!(matches!(error, Error::Broken { .. }), "{error}");

    worker.producer =
        Producer::open(&cluster, &format!("{service}-worker"), 1_000_000).expect("brokers");
    worker.producer.begin().expect("a transaction");
    worker
        .producer
        .produce(&compacted, rows(&["fine"]), Partitioning::One(0))
        .expect("room in the queue");
    worker.commit(&[]).expect("a row with a key");
}
