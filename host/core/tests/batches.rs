//! Batches change nothing, and neither do crashes: random rows through a topology with every
//! operator.
//!
//! The oracle is the engine itself, row by row and depth first, as Kafka Streams works. `SEED` in
//! the message of a failing run names the rows.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use support::{Random, Sketch, text};
use weir_core::functions::{FunctionId, Step};
use weir_core::limits::Limits;
use weir_core::record::Column;
use weir_core::testing::{Closures, Driver, Made, Row, RowView};
use weir_core::topology::compile;
use weir_core::topology::description::{
    Aggregator, Clock, Description, Edge, Emit, JoinKind, Operator, Schedule, StreamStreamJoin,
    Until, Window,
};

/// The last is written by another sub-topology than the others, whose tasks run when they will.
const OUTPUTS: [&str; 5] = ["one", "two", "three", "four", "regrouped"];

fn transform(function: u32, ports: u8, rekeys: bool) -> Operator {
    Operator::Transform {
        function: FunctionId(function),
        ports,
        steps: Vec::new(),
        rekeys,
    }
}

fn aggregate(store: &str, function: Option<u32>, window: Option<Window>) -> Operator {
    let aggregator = function.map_or(Aggregator::Count, |id| Aggregator::Function(FunctionId(id)));
    let skip_null_values = matches!(window, None | Some(Window::Sliding { .. }));
    Operator::Aggregate {
        aggregator,
        store: store.to_owned(),
        window,
        emit: Emit::OnUpdate,
        skip_null_values,
    }
}

fn sink(topic: &str) -> Operator {
    Operator::Sink {
        topic: topic.to_owned(),
    }
}

/// Every operator once, with forks, joins of forks, and one topic written from many sides.
fn everything() -> Description {
    let mut t = Sketch::default();
    t.store("notes");
    let function = FunctionId(3);
    let left = t.node(
        "left",
        &[],
        Operator::Source {
            topic: "left".to_owned(),
        },
    );
    let right = t.node(
        "right",
        &[],
        Operator::Source {
            topic: "right".to_owned(),
        },
    );
    let products = Operator::Table {
        topic: "products".to_owned(),
        store: Some("products".to_owned()),
        history: None,
    };
    let products = t.node("products", &[], products);
    let split = t.node("split", &[left], transform(1, 2, false));
    let odd = Edge { port: 1, ..split };
    let several = t.node("several", &[split], transform(2, 1, false));
    let merged = t.node("merged", &[odd, several, right], Operator::Merge);
    let latest = t.node(
        "latest",
        &[merged],
        Operator::ToTable {
            store: Some("latest".to_owned()),
        },
    );
    let kind = JoinKind::Left;
    let own = t.node(
        "own",
        &[several, latest],
        Operator::StreamTableJoin {
            kind,
            function,
            grace: None,
        },
    );
    let product = t.node(
        "product",
        &[merged, products],
        Operator::StreamTableJoin {
            kind,
            function,
            grace: None,
        },
    );
    let join = |kind, name: &str| {
        Operator::StreamStreamJoin(StreamStreamJoin {
            kind,
            function,
            before: 20,
            after: 10,
            grace: 5,
            left_store: format!("{name}-left"),
            right_store: format!("{name}-right"),
        })
    };
    let outer = t.node("outer", &[several, right], join(JoinKind::Outer, "outer"));
    let itself = t.node("itself", &[odd, odd], join(JoinKind::Inner, "itself"));
    let streams = Streams {
        merged,
        several,
        own,
        product,
        outer,
        itself,
        latest,
    };
    aggregates(&mut t, &streams);
    t.description
}

/// What the aggregates and sinks are fed with.
struct Streams {
    merged: Edge,
    several: Edge,
    own: Edge,
    product: Edge,
    outer: Edge,
    itself: Edge,
    latest: Edge,
}

fn aggregates(t: &mut Sketch, streams: &Streams) {
    let Streams {
        merged,
        several,
        own,
        product,
        outer,
        itself,
        latest,
    } = *streams;
    let counts = t.node("counts", &[merged], aggregate("counts", None, None));
    let sums = t.node("sums", &[product], aggregate("sums", Some(4), None));
    let hopping = Window::Hopping {
        size: 20,
        advance: 7,
        grace: 10,
    };
    let windows = t.node(
        "windows",
        &[merged],
        aggregate("windows", Some(4), Some(hopping)),
    );
    let session = Window::Session { gap: 8, grace: 10 };
    let sessions = t.node(
        "sessions",
        &[several],
        aggregate("sessions", Some(4), Some(session)),
    );
    let closing = windowed(t, &[merged, several, product], [hopping, session]);
    let update = Operator::Update {
        function: FunctionId(5),
        store: "updated".to_owned(),
    };
    let updated = t.node("updated", &[merged], update);
    let process = Operator::Process {
        function: FunctionId(6),
        stores: vec![
            "notes".to_owned(),
            "latest".to_owned(),
            "counts".to_owned(),
            "updated".to_owned(),
        ],
        schedules: vec![Schedule {
            interval: 25,
            clock: Clock::StreamTime,
        }],
    };
    let process = t.node("process", &[merged], process);
    let rekeyed = t.node("rekeyed", &[own], transform(7, 1, true));
    let regrouped = t.node("regrouped", &[rekeyed], aggregate("regrouped", None, None));
    let sent = [
        own, product, outer, itself, counts, sums, windows, sessions, updated, process, latest,
    ];
    for (number, edge) in sent.into_iter().chain(closing).enumerate() {
        t.node(
            &format!("sink-{number}"),
            &[edge],
            sink(OUTPUTS[number % 4]),
        );
    }
    t.node("sink-regrouped", &[regrouped], sink(OUTPUTS[4]));
}

/// What sends results late, and what takes several streams.
fn windowed(t: &mut Sketch, streams: &[Edge], [hopping, session]: [Window; 2]) -> Vec<Edge> {
    let sliding = Window::Sliding { size: 9, grace: 12 };
    let mut sent = Vec::new();
    for (name, window) in [("hop", hopping), ("slide", sliding), ("sit", session)] {
        let mut on_close = aggregate(&format!("{name}-close"), Some(4), Some(window));
        if let Operator::Aggregate { emit, .. } = &mut on_close {
            *emit = Emit::OnWindowClose;
        }
        sent.push(t.node(&format!("{name}-close"), &streams[..1], on_close));
        let cogroup = aggregate(&format!("{name}-cogroup"), Some(4), Some(window));
        let cogroup = t.node(&format!("{name}-cogroup"), streams, cogroup);
        let store = format!("{name}-held");
        let until = Until::WindowCloses;
        let held = Operator::Suppress { store, until };
        sent.extend([cogroup, t.node(&format!("{name}-held"), &[cogroup], held)]);
    }
    let all = t.node("all", streams, aggregate("all", Some(4), None));
    let store = "slow".to_owned();
    let (limit, max_rows) = (40, Some(2));
    let until = Until::TimeLimit { limit, max_rows };
    let slow = t.node("slow", &[all], Operator::Suppress { store, until });
    sent.extend([all, slow]);
    sent
}

fn same(row: RowView<'_>, port: u8) -> (Option<Vec<u8>>, Option<Vec<u8>>, u8) {
    (
        row.key.map(<[u8]>::to_vec),
        row.value.map(<[u8]>::to_vec),
        port,
    )
}

fn several(row: RowView<'_>) -> Made {
    match row.value {
        Some(b"refused") => Err("refused".to_owned()),
        Some(b"trap") => Err("trap:unreachable".to_owned()),
        value => {
            let count = value.map_or(0, |value| value.len() % 3);
            Ok((0..count)
                .map(|n| {
                    (
                        row.key.map(<[u8]>::to_vec),
                        Some(format!("{}.{n}", text(value)).into()),
                        0,
                    )
                })
                .collect())
        }
    }
}

fn fold(
    step: Step,
    left: Option<&[u8]>,
    right: Option<&[u8]>,
    row: RowView<'_>,
) -> Result<Option<Vec<u8>>, String> {
    let added = if step == Step::Merge {
        text(right)
    } else {
        text(row.value)
    };
    let state = format!("{}{added}", text(left));
    match state.len() {
        30.. => Ok(None),
        _ if added == "7" && step == Step::Add => Err("trap:seven".to_owned()),
        _ if added == "9" && step == Step::Add => Err("nine".to_owned()),
        _ => Ok(Some(state.into())),
    }
}

fn closures() -> Closures {
    Closures::default()
        .transform(1, |row| {
            Ok(vec![same(
                row,
                u8::from(row.value.is_some_and(|v| v.len() % 2 == 1)),
            )])
        })
        .transform(2, several)
        .combine(3, |key, left, right| {
            Ok(Some(
                format!("{}:{}|{}", text(key), text(left), text(right)).into(),
            ))
        })
        .fold(4, fold)
        .update(5, |state, row| {
            if row.value == Some(b"trap") {
                return Err("trap:update".to_owned());
            }
            *state = row
                .value
                .map(|v| format!("{}{}", text(state.as_deref()).len() % 10, text(Some(v))).into());
            Ok(vec![
                (row.key.map(<[u8]>::to_vec), state.clone(), 0);
                text(row.value).len() % 3
            ])
        })
        .process(6, |number, time, row, state| {
            let Some(key) = row.key else {
                return Ok(Ok(Vec::new()));
            };
            let keys = Column::from_iter([Some(key)]);
            let seen = [0, 1, 2, 3]
                .map(|store| text(state.get_many(store, number, &keys).unwrap().get(0)));
            state.put(0, number, key, row.value).unwrap();
            if row.value == Some(b"7") {
                return Ok(Err("trap:after a write".to_owned()));
            }
            Ok(Ok(vec![(
                Some(key.to_vec()),
                Some(format!("{seen:?}@{time}").into()),
                0,
            )]))
        })
        .punctuate(6, |_, at, state| {
            let (keys, values) = state.range(0, 0, None, None, 100).unwrap();
            let mut rows = weir_core::record::Batch::default();
            for (key, value) in keys.iter().zip(values.iter()) {
                rows.push(key, value, at);
                state.put(0, 0, key.unwrap(), None).unwrap();
            }
            Ok(rows)
        })
        .transform(7, |row| {
            Ok(vec![(
                row.value.map(|v| v[..v.len().min(2)].to_vec()),
                Some(Vec::new()),
                0,
            )])
        })
}

/// What a run has come to: rows of each topic and failures.
type Outcome = (
    BTreeMap<String, Vec<Row>>,
    Vec<String>,
    Vec<(Vec<u8>, Vec<u8>, i64)>,
);

fn run(seed: u64, rows: usize, row_by_row: bool, crashes: bool) -> Outcome {
    let mut random = Random(seed);
    let topology = compile("random", &everything()).unwrap();
    assert!(
        topology.subtopologies().iter().all(|s| !s.row_by_row),
        "the batches are what is tested"
    );
    let topology = if row_by_row {
        topology.row_by_row()
    } else {
        topology
    };
    let limits = Limits {
        max_batch_rows: rows,
        ..Limits::default()
    };
    let mut t = Driver::of(topology, &BTreeMap::new(), 1, limits, Box::new(closures())).unwrap();
    t.hold_commits();
    let mut chaos = Random(seed + 1);
    let mut time = 0_i64;
    for _ in 0..8 {
        for _ in 0..25 {
            let topic = ["left", "left", "right", "products"][random.below(4)];
            let key = [Some("a"), Some("b"), Some("c"), None][random.below(4)];
            let values = [
                Some("1"),
                Some("22"),
                Some("333"),
                Some("7"),
                Some("9"),
                Some("trap"),
                Some("refused"),
                None,
            ];
            let value = values[random.below(8)];
            time += [0, 1, 3, 30][random.below(4)];
            let late = [0, 0, 0, 6, 15][random.below(5)];
            let mut input = t.input(topic).at((time - late).max(0));
            if random.below(3) == 0 {
                input = input.header("h", text(value.map(str::as_bytes)).as_bytes());
            }
            input.queue(key.map(str::as_bytes), value.map(str::as_bytes));
        }
        t.run();
        if crashes && chaos.below(2) == 0 {
            t.crash();
            t.run();
        }
        t.commit();
        t.run();
        t.commit();
        if crashes && chaos.below(2) == 0 {
            t.lose_state();
            t.run();
        }
    }
    let topics = OUTPUTS
        .iter()
        .map(|topic| ((*topic).to_owned(), t.output(topic)))
        .collect();
    let letters = t
        .dead_letters()
        .into_iter()
        .map(|letter| format!("{letter:?}"))
        .collect();
    let stores = [
        "products",
        "latest",
        "counts",
        "sums",
        "updated",
        "notes",
        "regrouped",
        "slide-cogroup",
        "sit-held",
        "slow",
    ];
    (
        topics,
        letters,
        stores.iter().flat_map(|store| t.store(store)).collect(),
    )
}

/// Failures of one row keep their order; those of different rows may come in another, as batches
/// end elsewhere.
fn assert_same(one: &Outcome, other: &Outcome, what: &str) {
    for topic in OUTPUTS {
        for (number, pair) in one.0[topic].iter().zip(&other.0[topic]).enumerate() {
            assert_eq!(pair.0, pair.1, "{what}, topic {topic}, row {number}");
        }
        assert_eq!(
            one.0[topic].len(),
            other.0[topic].len(),
            "{what}, topic {topic}"
        );
    }
    assert_eq!(one.2, other.2, "{what}, stores");
    assert_eq!(one.1, other.1, "{what}, dead letters");
}

#[test]
fn batches_of_any_size_give_the_same_bytes_as_rows_one_by_one() {
    for seed in 0..20 {
        let oracle = run(seed, 1, true, false);
        assert!(
            oracle.0.values().all(|rows| rows.len() > 3),
            "SEED={seed} tries something"
        );
        for rows in [1, 7, 1000] {
            let batched = run(seed, rows, false, false);
            assert_same(
                &batched,
                &oracle,
                &format!("SEED={seed}, batches of {rows}"),
            );
        }
    }
}

#[test]
fn crashes_and_lost_state_give_the_same_bytes_too() {
    for seed in 0..20 {
        let oracle = run(seed, 1000, false, false);
        assert_same(
            &run(seed, 7, false, true),
            &oracle,
            &format!("SEED={seed}, with crashes"),
        );
    }
}
