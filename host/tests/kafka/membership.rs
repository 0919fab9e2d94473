//! Who owns which task, and what fences who does not.

use std::collections::BTreeSet;

use weir_host::kafka::{Error, Event, Partition, Partitioning};

use crate::worker::{Worker, at, cluster, rows, source, topic, unique, until};

#[test]
fn tasks_are_shared_evenly_and_most_of_them_stay() {
    let cluster = cluster();
    let service = unique("sharing");
    let mut first = Worker::join(&cluster, &service, "first", 6);
    assert_eq!(first.own(6), (0..6).collect::<BTreeSet<u32>>());
    let mut second = Worker::join(&cluster, &service, "second", 6);
    let mut revoked = BTreeSet::new();
    until("an even share", || {
        if let Some(Event::Revoked(tasks)) = first.poll() {
            revoked.extend(tasks);
        }
        second.poll();
        second.membership.tasks().len() == 3 && first.membership.tasks().len() == 3
    });
    assert_eq!(
        &revoked,
        second.membership.tasks(),
        "only what moves is revoked"
    );
}

#[test]
fn no_task_moves_before_its_owner_acknowledges() {
    let cluster = cluster();
    let service = unique("waiting");
    let mut first = Worker::join(&cluster, &service, "first", 2);
    first.own(2);
    let mut second = Worker::join(&cluster, &service, "second", 2);
    until("a revocation", || {
        second.poll();
        matches!(
            first.membership.poll().expect("a membership that works"),
            Some(Event::Revoked(_))
        )
    });
    for _ in 0..100 {
        second.poll();
        assert!(
            first
                .membership
                .poll()
                .expect("a membership that works")
                .is_some(),
            "the same event again"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(
        second.membership.tasks().is_empty(),
        "its owner has not ended its transaction"
    );
    first
        .membership
        .acknowledge()
        .expect("the event is current");
    until("the task that moved", || {
        first.poll();
        second.poll();
        second.membership.tasks().len() == 1
    });
}

#[test]
fn a_member_that_comes_back_has_its_tasks_again() {
    let cluster = cluster();
    let service = unique("returning");
    let mut stays = Worker::join(&cluster, &service, "stays", 4);
    let mut leaves = Worker::join(&cluster, &service, "leaves", 4);
    until("an even share", || {
        stays.poll();
        leaves.poll();
        stays.membership.tasks().len() == 2 && leaves.membership.tasks().len() == 2
    });
    let before = leaves.membership.tasks().clone();
    drop(leaves);
    let mut back = Worker::join(&cluster, &service, "leaves", 4);
    until("the tasks of before", || {
        assert_eq!(stays.poll(), None, "nobody else notices");
        back.poll();
        *back.membership.tasks() == before
    });
}

#[test]
fn a_commit_with_the_metadata_of_an_older_generation_is_refused() {
    let cluster = cluster();
    let service = unique("fencing");
    let (input, output) = (topic(&cluster, "input", 2), topic(&cluster, "output", 1));
    let mut first = Worker::join(&cluster, &service, "first", 2);
    first.own(2);
    let stale = first.membership.group_metadata().expect("a member");
    let mut second = Worker::join(&cluster, &service, "second", 2);
    until("a share each", || {
        first.poll();
        second.poll();
        first.membership.tasks().len() == 1 && second.membership.tasks().len() == 1
    });

    let position = |offset| vec![(at(&input, 0, offset), String::new())];
    first.producer.begin().expect("a transaction");
    first
        .producer
        .produce(&output, rows(&["lost"]), Partitioning::One(0))
        .expect("room in the queue");
    let error = first
        .producer
        .commit(&position(5), &stale)
        .expect_err("the generation is over");
    assert!(matches!(error, Error::Abortable { .. }), "{error}");
    first.producer.abort().expect("an open transaction");

    first.producer.begin().expect("the producer goes on");
    first
        .producer
        .produce(&output, rows(&["kept"]), Partitioning::One(0))
        .expect("room in the queue");
    first.commit(&position(6)).expect("the generation of now");
    let committed = source(&cluster, &service)
        .committed(
            &[Partition::new(&*input, 0)],
            std::time::Duration::from_secs(10),
        )
        .expect("brokers that answer");
    assert_eq!(committed[&Partition::new(&*input, 0)].offset, 6);
}

#[test]
fn a_second_worker_of_the_same_instance_fences_the_first() {
    let cluster = cluster();
    let service = unique("twins");
    let output = topic(&cluster, "twins", 1);
    let mut first = Worker::join(&cluster, &service, "twin", 1);
    first.own(1);
    let mut second = Worker::join(&cluster, &service, "twin", 1);
    let mut fenced = None;
    until("fencing", || {
        second.poll();
        fenced = first.membership.poll().err();
        let _followed = first.membership.acknowledge();
        fenced.is_some()
    });
    assert!(matches!(fenced, Some(Error::Fenced { .. })), "{fenced:?}");
    second.own(1);
    let begun = first.producer.begin();
    let written = begun.and_then(|()| {
        first
            .producer
            .produce(&output, rows(&["zombie"]), Partitioning::One(0))
    });
    let error = written
        .and_then(|()| first.commit(&[]))
        .expect_err("its id is taken, too");
    assert!(matches!(error, Error::Fenced { .. }), "{error}");
}
