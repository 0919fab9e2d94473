//! Topics: described, made, grown, refused.

use weir_core::topology::{InternalKind, InternalTopic};
use weir_host::kafka::{Error, Topic};

use crate::worker::{at, cluster, topic, unique, write};

#[test]
fn internal_topics_are_made_once_and_described_as_they_were_wanted() {
    let cluster = cluster();
    let service = unique("making");
    let internal = |name: &str, kind| InternalTopic {
        name: format!("{service}-{name}"),
        partitions: 3,
        kind,
    };
    let internal = [
        internal(
            "count-changelog",
            InternalKind::Changelog {
                window_retention_ms: None,
            },
        ),
        internal(
            "window-changelog",
            InternalKind::Changelog {
                window_retention_ms: Some(60_000),
            },
        ),
        internal("by-product-repartition", InternalKind::Repartition),
    ];
    let mut topics: Vec<Topic> = internal.iter().map(Topic::from).collect();
    topics.push(Topic::tasks(&service, 6));
    cluster.ensure(&topics).expect("new topics");
    cluster.ensure(&topics).expect("the same topics");
    let names = topics
        .iter()
        .map(|topic| topic.name.as_str())
        .chain(["missing"]);
    let facts = cluster.describe(names).expect("brokers that answer");
    let seen: Vec<_> = topics
        .iter()
        .map(|t| (facts[&t.name].partitions, facts[&t.name].compacted))
        .collect();
    assert_eq!(seen, [(3, true), (3, false), (3, false), (6, false)]);
    assert!(!facts.contains_key("missing"));
    assert!(
        facts.values().all(|facts| facts.max_ahead_ms.is_none()),
        "our topics take any time: {facts:?}"
    );
    assert!(
        facts
            .values()
            .all(|facts| facts.max_message_bytes > 1_000_000)
    );
}

#[test]
fn the_tasks_topic_grows_and_others_are_refused_with_both_counts() {
    let cluster = cluster();
    let service = unique("growing");
    cluster
        .ensure(&[Topic::tasks(&service, 2)])
        .expect("a new topic");
    let grown = Topic::tasks(&service, 5);
    cluster
        .ensure(std::slice::from_ref(&grown))
        .expect("a topic that may grow");
    assert_eq!(
        cluster.partitions().expect("brokers that answer")[&grown.name],
        5
    );
    cluster
        .ensure(&[Topic::tasks(&service, 3)])
        .expect("spare tasks are empty");

    let changelog = unique("changelog");
    cluster
        .ensure(&[Topic::compacted(&changelog, 2)])
        .expect("a new topic");
    let refused = cluster
        .ensure(&[Topic::compacted(&changelog, 4)])
        .expect_err("it has 2 partitions");
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    let words = refused.to_string();
    assert!(
        words.contains(&changelog) && words.contains('2') && words.contains('4'),
        "{words}"
    );
}

#[test]
fn rows_that_were_read_can_be_deleted() {
    let cluster = cluster();
    let topic = topic(&cluster, "read", 1);
    write(&cluster, &topic, 0, &["a", "b", "c"]);
    cluster
        .delete_before(&[at(&topic, 0, 2)])
        .expect("offsets that are there");
    let partition = weir_host::kafka::Partition::new(&*topic, 0);
    let first = cluster
        .beginnings(std::slice::from_ref(&partition))
        .expect("brokers that answer");
    assert_eq!(first[&partition], 2);
}

#[test]
fn brokers_that_are_away_are_unreachable_and_properties_nobody_knows_are_refused() {
    let mut settings = weir_host::kafka::Settings::new("127.0.0.1:1");
    settings.request_timeout = std::time::Duration::from_millis(300);
    let away =
        weir_host::kafka::Cluster::connect(settings.clone()).expect("clients need no broker");
    let error = away.describe(["orders"]).expect_err("nobody listens");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");

    settings
        .properties
        .insert("fetch.quickly".to_owned(), "yes".to_owned());
    let refused = weir_host::kafka::Cluster::connect(settings)
        .err()
        .expect("no such property");
    assert!(
        matches!(refused, Error::Refused { .. }) && refused.to_string().contains("fetch.quickly"),
        "{refused}"
    );
}
