//! Topologies as people meet them: their text, their mistakes, their plans.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;
mod tables;

use std::collections::BTreeMap;

use expect_test::expect;
use support::{Sketch, folded};
use weir_core::functions::FunctionId;
use weir_core::task::TaskId;
use weir_core::topology::description::{
    Aggregator, Description, Edge, Emit, JoinKind, Node, Operator, Route, RouteKey, RouteKind,
    StreamStreamJoin, Until, Window,
};
use weir_core::topology::{TopicFacts, Topology, compile};

const FUNCTION: FunctionId = FunctionId(0);

fn source(topic: &str) -> Operator {
    Operator::Source {
        topic: topic.to_owned(),
    }
}

fn sink(topic: &str) -> Operator {
    Operator::Sink {
        topic: topic.to_owned(),
    }
}

fn rekey() -> Operator {
    Operator::Transform {
        function: FUNCTION,
        ports: 1,
        steps: vec!["rekey".into()],
        rekeys: true,
    }
}

fn count(store: &str) -> Operator {
    let (aggregator, store) = (Aggregator::Count, store.to_owned());
    Operator::Aggregate {
        aggregator,
        store,
        window: None,
        emit: Emit::OnUpdate,
        skip_null_values: true,
    }
}

fn route(method: &str, path: &str, stores: &[&str]) -> Route {
    Route {
        method: method.to_owned(),
        path: path.to_owned(),
        kind: RouteKind::Query,
        function: FUNCTION,
        key: RouteKey::Parameter("id".to_owned()),
        stores: stores.iter().map(|store| (*store).to_owned()).collect(),
        topics: Vec::new(),
    }
}

/// Orders rekeyed by product, joined with the stock, and reserved; with a global table on the way.
fn inventory() -> Sketch {
    let mut t = Sketch::default();
    t.store("reserved");
    let table = |topic: &str| (topic.to_owned(), format!("{topic}-store"));
    let (topic, store) = table("stock");
    let stock = t.node(
        "stock",
        &[],
        Operator::Table {
            topic,
            store: Some(store),
            history: None,
        },
    );
    let (topic, store) = table("customers");
    let customers = t.node("customers", &[], Operator::GlobalTable { topic, store });
    let orders = t.node("orders", &[], source("orders"));
    let rekeyed = t.node("by-product", &[orders], rekey());
    let kind = JoinKind::Left;
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Inner,
        function: FUNCTION,
        grace: None,
    };
    let joined = t.node("with-stock", &[rekeyed, stock], join);
    let join = Operator::GlobalTableJoin {
        kind,
        function: FUNCTION,
        key: FUNCTION,
    };
    let joined = t.node("with-customer", &[joined, customers], join);
    let stores = vec!["reserved".to_owned()];
    let process = Operator::Process {
        function: FUNCTION,
        stores,
        schedules: Vec::new(),
    };
    let reserve = t.node("reserve", &[joined], process);
    t.node("validations", &[reserve], sink("order-validations"));
    t
}

fn facts(partitions: u32) -> TopicFacts {
    TopicFacts {
        partitions,
        max_message_bytes: 1_000_000,
        compacted: false,
        max_ahead_ms: None,
    }
}

fn topics(counts: &[(&str, u32)]) -> BTreeMap<String, TopicFacts> {
    counts
        .iter()
        .map(|(topic, count)| ((*topic).to_owned(), facts(*count)))
        .collect()
}

fn compiled(sketch: &Sketch) -> Topology {
    compile("inventory", &sketch.description).unwrap()
}

fn mistakes(description: &Description) -> String {
    folded(&compile("svc", description).unwrap_err().to_string())
}

#[test]
fn a_topology_is_shown_as_kafka_streams_shows_it() {
    expect![[r#"
        Topologies:
           Sub-topology: 0
            Source: stock-source (topics: [stock])
              --> stock
            Processor: stock (stores: [stock-store])
              --> none
              <-- stock-source
            Source: with-stock-repartition-source (topics: [inventory-with-stock-repartition])
              --> with-stock
            Processor: with-stock (stores: [stock-store])
              --> with-customer
              <-- with-stock-repartition-source
            Processor: with-customer (stores: [customers-store])
              --> reserve
              <-- with-stock
            Processor: reserve (stores: [reserved])
              --> validations
              <-- with-customer
            Sink: validations (topic: order-validations)
              <-- reserve

           Sub-topology: 1
            Source: orders (topics: [orders])
              --> by-product
            Processor: by-product (stores: [])
              --> with-stock-repartition-sink
              <-- orders
            Sink: with-stock-repartition-sink (topic: inventory-with-stock-repartition)
              <-- by-product

           Sub-topology: 2 for global store (will not generate tasks)
            Source: customers-source (topics: [customers])
              --> customers
            Processor: customers (stores: [customers-store])
              --> none
              <-- customers-source

    "#]]
    .assert_eq(&compiled(&inventory()).describe());
}

#[test]
fn a_plan_counts_tasks_and_internal_topics() {
    let all = [
        ("stock", 4),
        ("customers", 1),
        ("orders", 2),
        ("order-validations", 3),
    ];
    let plan = compiled(&inventory()).plan(&topics(&all)).unwrap();
    let names: Vec<String> = plan.tasks.iter().map(TaskId::to_string).collect();
    assert_eq!(names, ["0_0", "0_1", "0_2", "0_3", "1_0", "1_1"]);
    let internal: Vec<(String, u32)> = plan
        .internal_topics
        .iter()
        .map(|topic| (topic.name.clone(), topic.partitions))
        .collect();
    let repartition = ("inventory-with-stock-repartition".to_owned(), 4);
    assert_eq!(
        internal,
        [repartition, ("inventory-reserved-changelog".to_owned(), 4)]
    );
}

#[test]
fn topics_that_are_missing_are_named_all_at_once() {
    let error = compiled(&inventory())
        .plan(&topics(&[("stock", 4), ("customers", 1)]))
        .unwrap_err();
    expect![[r#"
        2 mistakes in the topology:
        - topic `order-validations` (written by node `validations`) does not exist;
            create it
        - topic `orders` (read by node `orders`) does not exist; create it"#]]
    .assert_eq(&folded(&error.to_string()));
}

#[test]
fn joined_topics_of_different_counts_are_refused_with_both_named() {
    let mut t = Sketch::default();
    let stream = t.node("payments", &[], source("payments"));
    let table = Operator::Table {
        topic: "orders".to_owned(),
        store: Some("orders".to_owned()),
        history: None,
    };
    let table = t.node("orders", &[], table);
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Inner,
        function: FUNCTION,
        grace: None,
    };
    t.node("join", &[stream, table], join);
    let error = compiled(&t)
        .plan(&topics(&[("payments", 3), ("orders", 4)]))
        .unwrap_err();
    expect![[r#"
        topics `orders` (4 partitions) and `payments` (3 partitions) meet in store
            `orders`, so they need the same number of partitions; give them the same
            number, or repartition one"#]]
    .assert_eq(&folded(&error.to_string()));
}

/// Once it started, and a key's rows of one topic never met those of the other.
#[test]
fn topics_that_a_processor_with_a_store_reads_are_refused_when_their_counts_differ() {
    let mut t = Sketch::default();
    let orders = t.node("orders", &[], source("orders"));
    let answers = t.node("answers", &[], source("answers"));
    let both = t.node("both", &[orders, answers], Operator::Merge);
    let process = |stores: &[&str]| Operator::Process {
        function: FUNCTION,
        stores: stores.iter().map(|store| (*store).to_owned()).collect(),
        schedules: Vec::new(),
    };
    t.store("cases");
    t.node("decide", &[both], process(&["cases"]));
    let counts = topics(&[("orders", 4), ("answers", 2)]);
    let error = compiled(&t).plan(&counts).unwrap_err();
    expect![[r#"
        topics `orders` (4 partitions) and `answers` (2 partitions) meet in store
            `cases`, so they need the same number of partitions; give them the same
            number, or repartition one"#]]
    .assert_eq(&folded(&error.to_string()));

    let mut apart = Sketch::default();
    let orders = apart.node("orders", &[], source("orders"));
    let answers = apart.node("answers", &[], source("answers"));
    apart.store("cases");
    apart.node("open", &[orders], process(&["cases"]));
    apart.node("close", &[answers], process(&["cases"]));
    let same = compiled(&apart).plan(&counts).unwrap_err();
    assert_eq!(same.to_string(), error.to_string(), "a store in common");

    let mut stateless = Sketch::default();
    let orders = stateless.node("orders", &[], source("orders"));
    let answers = stateless.node("answers", &[], source("answers"));
    let both = stateless.node("both", &[orders, answers], Operator::Merge);
    stateless.node("look", &[both], process(&[]));
    assert!(
        compiled(&stateless).plan(&counts).is_ok(),
        "no key is looked up"
    );
}

#[test]
fn every_mistake_is_told_at_once_and_says_how_to_mend_it() {
    let mut t = Sketch::default();
    let stream = t.node("in", &[], source(""));
    let window = Some(Window::Hopping {
        size: 0,
        advance: 5,
        grace: -1,
    });
    let (aggregator, store) = (Aggregator::Count, "counts".to_owned());
    let windowed = Operator::Aggregate {
        aggregator,
        store,
        window,
        emit: Emit::OnUpdate,
        skip_null_values: false,
    };
    t.node("windowed", &[stream], windowed);
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Outer,
        function: FUNCTION,
        grace: None,
    };
    t.node("join", &[stream, stream], join);
    t.node(
        "join",
        &[Edge { node: 9, port: 0 }],
        sink("svc-x-repartition"),
    );
    t.node("late", &[Edge { node: 5, port: 0 }], Operator::Merge);
    t.node("port", &[Edge { port: 3, ..stream }], count("counts"));
    let stores = vec!["nowhere".to_owned()];
    let process = Operator::Process {
        function: FUNCTION,
        stores,
        schedules: Vec::new(),
    };
    t.node("process", &[], process);
    expect![[r#"
        13 mistakes in the topology:
        - two nodes are called `join`; rename one
        - two stores are called `counts`; rename one
        - node `process` uses store `nowhere`, which nobody declares; declare it
        - a topic has an empty name; give it one
        - node `windowed`: the window's size is 0 ms; it must be between 1 and
            1000000000000
        - node `windowed`: the window's grace is -1 ms; it must be between 0 and
            1000000000000
        - node `join`: a join with a table is inner or left, never outer; choose one
        - node `join` joins a stream with what is not a table; make a table of it
            (`table`, `to-table` or an aggregate without windows)
        - node `join` reads node number 9, which does not exist
        - node `join` uses topic `svc-x-repartition`, which is internal to `svc`; connect
            the nodes themselves instead
        - node `late` reads `port`, which is declared after it; declare inputs before
            their readers
        - node `port` reads output 3 of `in`, which has 1 (numbered from 0)
        - node `process` has 0 inputs, but its operator takes 1; connect it anew"#]]
    .assert_eq(&mistakes(&t.description));
}

#[test]
fn mistakes_of_windows_and_of_what_waits_for_them_are_told_too() {
    let aggregate = |store: &str, window, emit| Operator::Aggregate {
        aggregator: Aggregator::Count,
        store: store.to_owned(),
        window,
        emit,
        skip_null_values: true,
    };
    let suppress = |store: &str, until| Operator::Suppress {
        store: store.to_owned(),
        until,
    };
    let mut t = Sketch::default();
    let stream = t.node("in", &[], source("in"));
    let (size, grace) = (-1, -2);
    let sliding = aggregate(
        "slide",
        Some(Window::Sliding { size, grace }),
        Emit::OnUpdate,
    );
    t.node("slide", &[stream], sliding);
    let (size, advance, grace) = (10, 11, 0);
    let gaps = Some(Window::Hopping {
        size,
        advance,
        grace,
    });
    t.node("gaps", &[stream], aggregate("gaps", gaps, Emit::OnUpdate));
    let (gap, grace) = (0, 0);
    let session = Some(Window::Session { gap, grace });
    let both = aggregate("both", session, Emit::OnWindowClose);
    t.node("both", &[stream, stream], both);
    let plain = aggregate("plain", None, Emit::OnWindowClose);
    let plain = t.node("plain", &[stream], plain);
    t.node(
        "no-windows",
        &[plain],
        suppress("held", Until::WindowCloses),
    );
    let (limit, max_rows) = (-1, Some(0));
    let until = Until::TimeLimit { limit, max_rows };
    t.node("no-table", &[stream], suppress("held", until));
    let reader = Operator::Process {
        function: FUNCTION,
        stores: vec!["held".to_owned()],
        schedules: Vec::new(),
    };
    t.node("reader", &[stream], reader);
    t.description
        .routes
        .push(route("GET", "/held/{id}", &["held"]));
    let itself = Edge { node: 8, port: 0 };
    t.node(
        "circle",
        &[itself],
        aggregate("circle", None, Emit::OnUpdate),
    );
    expect![[r#"
        14 mistakes in the topology:
        - two stores are called `held`; rename one
        - node `reader` uses store `held`, which holds what waits and is its operator's
            alone; use the store of the table above, or of the result
        - node `slide`: the window's size is -1 ms; it must be between 0 and
            1000000000000
        - node `slide`: the window's grace is -2 ms; it must be between 0 and
            1000000000000
        - node `gaps`: the window's advance 11 ms exceeds its size 10 ms; windows must
            not leave gaps: make it the size or less
        - node `both`: the session's gap is 0 ms; it must be between 1 and 1000000000000
        - node `both` sends when its windows close, but has several inputs; each input of
            a cogroup has its own time, so no window closes for all: send updates
        - node `plain` sends when its windows close, but has none; give it windows, or
            send updates
        - node `no-windows` waits until windows close, but the table above has none; put
            it below a windowed aggregate, or give it a time limit
        - node `no-table` is an operator of tables, but `in` is none; make a table of it
            (`table`, `to-table` or an aggregate)
        - node `no-table`: the time limit is -1 ms; it must be between 0 and
            1000000000000
        - node `no-table` may hold back 0 rows; allow at least 1, or leave it open
        - node `circle` reads itself; rows that come back to a node go through a topic
        - route `GET /held/{id}` uses store `held`, which holds what waits and is its
            operator's alone; use the store of the table above, or of the result"#]]
    .assert_eq(&mistakes(&t.description));
}

#[test]
fn a_cogroup_reads_topics_of_as_many_partitions_each() {
    let mut t = Sketch::default();
    let [one, two] = ["one", "two"].map(|topic| t.node(topic, &[], source(topic)));
    t.node("both", &[one, two], count("both"));
    let topology = compiled(&t);
    let error = topology
        .plan(&topics(&[("one", 2), ("two", 3)]))
        .unwrap_err();
    expect![[r#"
        topics `one` (2 partitions) and `two` (3 partitions) meet in store `both`, so
            they need the same number of partitions; give them the same number, or
            repartition one"#]]
    .assert_eq(&folded(&error.to_string()));
    let mut t = Sketch::default();
    let [one, two] = ["one", "two"].map(|topic| t.node(topic, &[], source(topic)));
    let rekeyed = t.node("rekeyed", &[one], rekey());
    t.node("both", &[rekeyed, two], count("both"));
    let topology = compiled(&t);
    assert_eq!(
        topology.repartition_topics(),
        ["inventory-both-1-repartition"]
    );
    let plan = topology.plan(&topics(&[("one", 2), ("two", 3)])).unwrap();
    assert_eq!(plan.partitions["inventory-both-1-repartition"], 3);
}

#[test]
fn mistakes_of_routes_are_told_too() {
    let mut t = Sketch::default();
    let one = t.node("one", &[], source("one"));
    t.node("counts", &[one], count("counts"));
    let two = t.node("two", &[], source("two"));
    t.node("others", &[two], count("others"));
    let routes = &mut t.description.routes;
    routes.push(route("get", "/a/{id}", &["counts"]));
    routes.push(route("GET", "a/{id}", &["counts"]));
    routes.push(route("GET", "/a//{id}", &["counts"]));
    routes.push(route("GET", "/b/{name}", &["counts"]));
    routes.push(route("GET", "/c/{id}", &[]));
    routes.push(route("GET", "/c/{id}", &["nowhere"]));
    routes.push(route("GET", "/d/{id}", &["counts"]));
    routes.push(route("GET", "/d/{id}", &["counts"]));
    expect![[r#"
        7 mistakes in the topology:
        - route `get /a/{id}`: the method must be in upper case, such as GET or POST
        - route `GET a/{id}`: the path must begin with `/`
        - route `GET /a//{id}`: the part `` of the path is no good; a part is literal
            text or one `{name}`, and never empty
        - route `GET /b/{name}`: its key is the parameter `id`, which the path does not
            name; add `{id}`
        - route `GET /c/{id}` uses no store, so nobody knows where it runs; name at least
            one
        - route `GET /c/{id}` uses store `nowhere`, which nobody declares; declare it
        - routes `GET /d/{id}` and `/d/{id}` take the same requests; change a path"#]]
    .assert_eq(&mistakes(&t.description));
    t.description.routes = vec![route("GET", "/a/{id}", &["counts", "others"])];
    expect![[r#"
        route `GET /a/{id}` uses stores `counts` and `others` of different
            sub-topologies, whose partitions may live on different hosts; read one of
            them, or connect their nodes"#]]
    .assert_eq(&mistakes(&t.description));
}

#[test]
fn versions_differ_by_names_and_not_by_functions() {
    let running = compiled(&inventory());
    let mut same = inventory();
    for node in &mut same.description.nodes {
        if let Operator::Process { function, .. } = &mut node.operator {
            *function = FunctionId(17);
        }
    }
    assert_eq!(running.differences(&compiled(&same)), []);
    let mut other = inventory();
    other.store("ledger");
    if let Operator::Process { stores, .. } = &mut other.description.nodes[6].operator {
        stores.push("ledger".to_owned());
    }
    let differences: Vec<String> = running
        .differences(&compiled(&other))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(
        differences[0].starts_with("store `ledger` (KeyValue"),
        "{differences:?}"
    );
    assert!(
        differences[1].starts_with("node `reserve` was a process"),
        "{differences:?}"
    );
}

#[test]
fn processors_that_write_one_store_run_row_by_row() {
    let mut t = Sketch::default();
    t.store("shared");
    let stream = t.node("in", &[], source("in"));
    let stores = vec!["shared".to_owned()];
    let process = Operator::Process {
        function: FUNCTION,
        stores,
        schedules: Vec::new(),
    };
    t.node("first", &[stream], process.clone());
    assert!(!compiled(&t).subtopologies()[0].row_by_row);
    t.node("second", &[stream], process);
    assert!(compiled(&t).subtopologies()[0].row_by_row);
}

#[test]
fn rows_without_a_key_pass_a_repartition_only_for_an_outer_side_below() {
    let keeps = |kind| {
        let mut t = Sketch::default();
        let stream = t.node("in", &[], source("in"));
        let rekeyed = t.node("rekeyed", &[stream], rekey());
        let other = t.node("other", &[], source("other"));
        let join = StreamStreamJoin {
            kind,
            function: FUNCTION,
            before: 1,
            after: 1,
            grace: 0,
            left_store: "left".to_owned(),
            right_store: "right".to_owned(),
        };
        t.node("join", &[rekeyed, other], Operator::StreamStreamJoin(join));
        let topology = compiled(&t);
        assert_eq!(
            topology.repartition_topics(),
            ["inventory-join-left-repartition"]
        );
        topology
            .nodes()
            .iter()
            .any(|node| format!("{node:?}").contains("keep_null_keys: true"))
    };
    assert!(!keeps(JoinKind::Inner));
    assert!(keeps(JoinKind::Outer));
}

#[test]
fn a_generated_monster_is_refused_at_once() {
    let node = |n: u32| Node {
        name: n.to_string(),
        inputs: Vec::new(),
        operator: source("in"),
    };
    let description = Description {
        nodes: (0..5000).map(node).collect(),
        ..Description::default()
    };
    assert!(mistakes(&description).contains("at most 500"));
}
