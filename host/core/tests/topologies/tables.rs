//! Tables: their mistakes, the hops of a foreign-key join, and what is kept of them.

use expect_test::expect;
use weir_core::functions::FunctionId;
use weir_core::topology::description::{Aggregator, JoinKind, Operator};

use crate::support::{Sketch, folded};
use crate::{compiled, mistakes, sink, source, topics};

#[test]
fn mistakes_of_tables_are_told_too() {
    let mut t = Sketch::default();
    let stream = t.node("stream", &[], source("in"));
    let (function, store) = (FunctionId(1), || Some("same".to_owned()));
    let table = |history| Operator::Table {
        topic: "table".to_owned(),
        store: None,
        history,
    };
    let plain = t.node("plain", &[], table(None));
    let versioned = t.node("versioned", &[], table(Some(-1)));
    let filter = Operator::TableFilter {
        function,
        store: store(),
    };
    t.node("filter", &[stream], filter);
    let map = Operator::TableMapValues {
        function,
        store: store(),
    };
    t.node("map", &[versioned], map);
    let groups = t.node("groups", &[plain], Operator::TableGroupBy { function });
    t.node("sink", &[groups], sink("out"));
    let aggregate = Operator::TableAggregate {
        aggregator: Aggregator::Count,
        store: "counts".to_owned(),
    };
    t.node("counts", &[plain], aggregate);
    let kind = JoinKind::Outer;
    let foreign = Operator::ForeignKeyJoin {
        kind,
        function,
        foreign_key: function,
        store: None,
    };
    t.node("foreign", &[plain, plain], foreign);
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Left,
        function,
        grace: Some(5),
    };
    t.node("waiting", &[stream, plain], join);
    expect![[r#"
        8 mistakes in the topology:
        - two stores are called `same`; rename one
        - node `versioned`: the table's history is -1 ms; it must be between 0 and
            1000000000000
        - node `filter` is an operator of tables, but `stream` is none; make a table of
            it (`table`, `to-table` or an aggregate)
        - node `map` reads `versioned`, a table with versions, which only stream-table
            joins and streams can; read the topic as a second table without a history
        - node `sink` reads `groups`, the groups of a table; only a table aggregate can
        - node `counts` aggregates the groups of a table, but `plain` makes none; group
            the table first
        - node `foreign`: a foreign-key join is inner or left, never outer; choose one
        - node `waiting` waits for its table, which has no versions to wait for; give the
            table a history, or the join no grace"#]]
    .assert_eq(&mistakes(&t.description));
}

/// A table, filtered, and joined by a foreign key with another.
fn foreign(filter_store: Option<&str>) -> Sketch {
    let mut t = Sketch::default();
    let table = |topic: &str| Operator::Table {
        topic: topic.to_owned(),
        store: None,
        history: None,
    };
    let songs = t.node("songs", &[], table("songs"));
    let filter = Operator::TableFilter {
        function: FunctionId(1),
        store: filter_store.map(str::to_owned),
    };
    let sung = t.node("sung", &[songs], filter);
    let singers = t.node("singers", &[], table("singers"));
    let join = Operator::ForeignKeyJoin {
        kind: JoinKind::Left,
        function: FunctionId(2),
        foreign_key: FunctionId(3),
        store: None,
    };
    let by = t.node("by", &[sung, singers], join);
    t.node("out", &[by], sink("out"));
    t
}

#[test]
fn a_foreign_key_join_hops_through_the_right_tables_tasks_and_back() {
    let topology = compiled(&foreign(None));
    expect![[r#"
    Topologies:
       Sub-topology: 0
        Source: songs-source (topics: [songs])
          --> songs
        Processor: songs (stores: [songs-store])
          --> sung
          <-- songs-source
        Processor: sung (stores: [])
          --> by-subscribe
          <-- songs
        Processor: by-subscribe (stores: [])
          --> by-subscription-repartition-sink
          <-- sung
        Sink: by-subscription-repartition-sink (topic: inventory-by-subscription-repartition)
          <-- by-subscribe
        Source: by-answer-repartition-source (topics: [inventory-by-answer-repartition])
          --> by
        Processor: by (stores: [songs-store])
          --> out
          <-- by-answer-repartition-source
        Sink: out (topic: out)
          <-- by

       Sub-topology: 1
        Source: singers-source (topics: [singers])
          --> singers
        Processor: singers (stores: [singers-store])
          --> by-subscriptions
          <-- singers-source
        Source: by-subscription-repartition-source (topics: [inventory-by-subscription-repartition])
          --> by-subscriptions
        Processor: by-subscriptions (stores: [by-subscriptions, singers-store])
          --> by-answer-repartition-sink
          <-- by-subscription-repartition-source, singers
        Sink: by-answer-repartition-sink (topic: inventory-by-answer-repartition)
          <-- by-subscriptions

    "#]]
    .assert_eq(&topology.describe());
    let plan = topology
        .plan(&topics(&[("songs", 3), ("singers", 2), ("out", 1)]))
        .unwrap();
    let partitions = |topic: &str| plan.partitions[&format!("inventory-by-{topic}-repartition")];
    assert_eq!((partitions("subscription"), partitions("answer")), (2, 3));
}

#[test]
fn a_table_of_which_nobody_asks_it_has_no_store_and_tells_no_old_values() {
    let mut t = Sketch::default();
    let table = Operator::Table {
        topic: "table".to_owned(),
        store: None,
        history: None,
    };
    let table = t.node("table", &[], table);
    let (function, store) = (FunctionId(1), None);
    let filter = t.node(
        "filter",
        &[table],
        Operator::TableFilter { function, store },
    );
    t.node("out", &[filter], sink("out"));
    let topology = compiled(&t);
    assert!(topology.stores().is_empty());
    assert!(topology.nodes().iter().all(|node| !node.tells_old));

    let groups = t.node("groups", &[filter], Operator::TableGroupBy { function });
    let aggregate = Operator::TableAggregate {
        aggregator: Aggregator::Count,
        store: "counts".to_owned(),
    };
    t.node("counts", &[groups], aggregate);
    let topology = compiled(&t);
    let stores: Vec<&str> = topology.stores().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(stores, ["table-store", "counts"]);
    let tells = |name: &str| {
        let node = topology.nodes().iter().find(|node| node.name == name);
        node.unwrap().tells_old
    };
    assert!(tells("table") && tells("filter"), "the group-by asks them");
    assert!(!tells("counts"), "nobody asks it");
}

#[test]
fn a_store_more_or_less_is_another_shape() {
    let differences = compiled(&foreign(None)).differences(&compiled(&foreign(Some("kept"))));
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    expect![[r#"
        store `songs-store` (KeyValue, restored from songs, in sub-topology 0) is gone
        store `kept` (KeyValue, restored from inventory-kept-changelog, in sub-topology
            0) is new
        node `songs` was a table topic songs of [] with stores [songs-store] and is a
            table topic songs of [] with stores []
        node `sung` was a table filter of [`songs`:0] with stores [] and is a table
            filter of [`songs`:0] with stores [kept]
        node `by` was a foreign-key join Left of [`by-answer-repartition-source`:0] with
            stores [songs-store] and is a foreign-key join Left of
            [`by-answer-repartition-source`:0] with stores [kept]"#]]
    .assert_eq(&folded(&told.join("\n")));
}
