//! Stories of the engine, told through the driver: failing rows, crashes, schedules.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use support::{Sketch, shown, text};
use weir_core::functions::FunctionId;
use weir_core::limits::Limits;
use weir_core::record::{Batch, Column};
use weir_core::store::MemoryBackend;
use weir_core::task::{Effects, Reason, Task};
use weir_core::testing::{Closures, Driver};
use weir_core::time::Timestamp;
use weir_core::topology::description::{
    Aggregator, Clock, Emit, JoinKind, Operator, Schedule, Window,
};
use weir_core::topology::{TopicFacts, compile};

fn sink(topic: &str) -> Operator {
    Operator::Sink {
        topic: topic.to_owned(),
    }
}

fn source(topic: &str) -> Operator {
    Operator::Source {
        topic: topic.to_owned(),
    }
}

fn transform(function: u32, rekeys: bool) -> Operator {
    Operator::Transform {
        function: FunctionId(function),
        ports: 1,
        steps: Vec::new(),
        rekeys,
    }
}

fn count(store: &str) -> Operator {
    Operator::Aggregate {
        aggregator: Aggregator::Count,
        store: store.to_owned(),
        window: None,
        emit: Emit::OnUpdate,
        skip_null_values: true,
    }
}

/// `in` through function 1 to `out`.
fn one_step(functions: Closures) -> Driver {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let step = sketch.node("step", &[source], transform(1, false));
    sketch.node("sink", &[step], sink("out"));
    Driver::new("story", &sketch.description, 2, functions).unwrap()
}

#[test]
fn a_refused_row_is_a_dead_letter_and_its_neighbours_go_on() {
    let functions = Closures::default().transform(1, |row| match text(row.value).as_str() {
        "bad" => Err("no such order".to_owned()),
        value => Ok(vec![(
            row.key.map(<[u8]>::to_vec),
            Some(value.to_uppercase().into()),
            0,
        )]),
    });
    let mut t = one_step(functions);
    for value in ["a", "bad", "b"] {
        t.input("in")
            .at(5)
            .queue(Some(b"k"), Some(value.as_bytes()));
    }
    t.run();
    assert_eq!(shown(&t.output("out")), "k=A@5 k=B@5");
    let letters = t.dead_letters();
    assert_eq!(letters.len(), 1);
    let position = letters[0].position.clone().unwrap();
    assert_eq!((position.topic.as_str(), position.offset), ("in", 1));
    assert_eq!(letters[0].value.as_deref(), Some(&b"bad"[..]));
    assert_eq!(
        (letters[0].node.as_str(), letters[0].reason.as_str()),
        ("step", "no such order")
    );
}

#[test]
fn a_trap_names_no_row_so_the_batch_is_halved_until_it_is_found() {
    let functions = Closures::default().transform(1, |row| match text(row.value).as_str() {
        "13" => Err("trap:unreachable".to_owned()),
        value => Ok(vec![(row.key.map(<[u8]>::to_vec), Some(value.into()), 0)]),
    });
    let mut t = one_step(functions);
    for value in 0..20 {
        t.input("in")
            .at(value)
            .queue(Some(b"k"), Some(value.to_string().as_bytes()));
    }
    t.run();
    let values: Vec<String> = t
        .output("out")
        .iter()
        .map(|row| text(row.value.as_deref()))
        .collect();
    let all_but_13: Vec<String> = (0..20)
        .filter(|v| *v != 13)
        .map(|v| v.to_string())
        .collect();
    assert_eq!(values, all_but_13);
    let letters = t.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].reason.as_str(), letters[0].backtrace.as_str()),
        ("unreachable", "here")
    );
    assert_eq!(letters[0].position.as_ref().unwrap().offset, 13);
}

#[test]
fn what_a_processor_wrote_before_it_trapped_is_taken_back() {
    let mut sketch = Sketch::default();
    sketch.store("seen");
    let source = sketch.node("source", &[], source("in"));
    let stores = vec!["seen".to_owned()];
    let process = Operator::Process {
        function: FunctionId(1),
        stores,
        schedules: Vec::new(),
    };
    sketch.node("process", &[source], process);
    let functions = Closures::default().process(1, |row, _, view, state| {
        state.put(0, row, view.key.unwrap(), view.value).unwrap();
        if view.value == Some(b"bad") {
            return Ok(Err("trap:out of memory".to_owned()));
        }
        Ok(Ok(Vec::new()))
    });
    let mut t = Driver::new("story", &sketch.description, 1, functions).unwrap();
    for (key, value) in [("a", "1"), ("b", "bad"), ("c", "3"), ("a", "bad")] {
        t.input("in")
            .queue(Some(key.as_bytes()), Some(value.as_bytes()));
    }
    t.run();
    let seen: Vec<String> = t
        .store("seen")
        .iter()
        .map(|(key, _, _)| text(Some(key)))
        .collect();
    assert_eq!(seen, ["a", "c"]);
    assert_eq!(t.dead_letters().len(), 2);
}

#[test]
fn an_answer_that_breaks_the_contract_is_a_trap_with_a_reason() {
    let functions = Closures::default().transform(1, |row| {
        let port = u8::from(row.value == Some(b"bad")) * 3;
        Ok(vec![(None, row.value.map(<[u8]>::to_vec), port)])
    });
    let mut t = one_step(functions);
    t.input("in").queue(Some(b"k"), Some(b"bad"));
    t.input("in").queue(Some(b"k"), Some(b"good"));
    t.run();
    assert_eq!(shown(&t.output("out")), "-=good@0");
    assert_eq!(
        t.dead_letters()[0].reason,
        "malformed answer: a port is beyond the node's 1"
    );
}

#[test]
fn what_the_broker_would_refuse_fails_before_it_is_produced() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    sketch.node("sink", &[source], sink("out"));
    let facts = TopicFacts {
        partitions: 1,
        max_message_bytes: 200,
        compacted: true,
        max_ahead_ms: Some(3_600_000),
    };
    let topics = BTreeMap::from([("out".to_owned(), facts)]);
    let functions = Box::new(Closures::default());
    let limits = Limits::default();
    let mut t = Driver::with("story", &sketch.description, &topics, 1, limits, functions).unwrap();
    t.input("in").queue(Some(b"k"), Some(&[b'x'; 200]));
    t.input("in").queue(None, Some(b"keyless"));
    t.input("in")
        .at(3_600_001)
        .queue(Some(b"k"), Some(b"ahead"));
    t.input("in").queue(Some(b"k"), Some(b"good"));
    t.run();
    assert_eq!(shown(&t.output("out")), "k=good@0");
    let reasons: Vec<String> = t
        .dead_letters()
        .into_iter()
        .map(|letter| letter.reason)
        .collect();
    assert!(reasons[0].contains("max.message.bytes"), "{reasons:?}");
    assert!(reasons[1].contains("compacted"), "{reasons:?}");
    assert!(
        reasons[2].contains("message.timestamp.after.max.ms"),
        "{reasons:?}"
    );
}

#[test]
fn a_crash_forgets_what_was_not_committed_and_nothing_else() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let count = sketch.node("count", &[source], count("counts"));
    sketch.node("sink", &[count], sink("out"));
    let mut t = Driver::new("story", &sketch.description, 4, Closures::default()).unwrap();
    t.input("in").send(Some(b"a"), Some(b""));
    t.hold_commits();
    t.input("in").send(Some(b"a"), Some(b""));
    t.crash();
    t.input("in").send(Some(b"b"), Some(b""));
    t.release_commits();
    let counts: Vec<(String, u8)> = t
        .store("counts")
        .into_iter()
        .map(|(key, value, _)| (text(Some(&key)), value[7]))
        .collect();
    assert_eq!(counts, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(t.output("out").len(), 3);
    t.lose_state();
    t.input("in").send(Some(b"a"), Some(b""));
    assert_eq!(t.output("out")[0].value.as_ref().unwrap()[7], 3);
}

#[test]
fn a_rekeyed_count_goes_through_a_repartition_topic_over_four_partitions() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let rekeyed = sketch.node("by-word", &[source], transform(1, true));
    let count = sketch.node("count", &[rekeyed], count("words"));
    sketch.node("sink", &[count], sink("out"));
    let functions = Closures::default().transform(1, |row| {
        let words = text(row.value);
        Ok(words
            .split(' ')
            .map(|word| (Some(word.into()), Some(Vec::new()), 0))
            .collect())
    });
    let mut t = Driver::new("story", &sketch.description, 4, functions).unwrap();
    for (key, line) in ["to be or", "not to be", "be"].iter().enumerate() {
        t.input("in")
            .queue(Some(key.to_string().as_bytes()), Some(line.as_bytes()));
    }
    t.run();
    let words: Vec<String> = t
        .store("words")
        .iter()
        .map(|(key, n, _)| format!("{}={}", text(Some(key)), n[7]))
        .collect();
    assert_eq!(words, ["be=3", "not=1", "or=1", "to=2"]);
    assert_eq!(t.output("story-words-repartition").len(), 7);
}

#[test]
fn a_stream_may_meet_its_own_table_and_sees_it_as_of_each_row() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let table = sketch.node(
        "table",
        &[source],
        Operator::ToTable {
            store: Some("latest".to_owned()),
        },
    );
    let join = Operator::StreamTableJoin {
        kind: JoinKind::Left,
        function: FunctionId(1),
        grace: None,
    };
    let join = sketch.node("join", &[source, table], join);
    sketch.node("sink", &[join], sink("out"));
    let functions = Closures::default().combine(1, |_, left, right| {
        Ok(Some(format!("{}/{}", text(left), text(right)).into()))
    });
    let mut t = Driver::new("story", &sketch.description, 1, functions).unwrap();
    for value in ["1", "2", "3"] {
        t.input("in").queue(Some(b"k"), Some(value.as_bytes()));
    }
    t.run();
    assert_eq!(shown(&t.output("out")), "k=1/1@0 k=2/2@0 k=3/3@0");
}

#[test]
fn schedules_run_by_the_wall_clock_though_no_row_comes() {
    let mut sketch = Sketch::default();
    sketch.store("seen");
    let source = sketch.node("source", &[], source("in"));
    let schedules = vec![Schedule {
        interval: 1000,
        clock: Clock::WallClock,
    }];
    let stores = vec!["seen".to_owned()];
    let process = Operator::Process {
        function: FunctionId(1),
        stores,
        schedules,
    };
    let process = sketch.node("process", &[source], process);
    sketch.node("sink", &[process], sink("out"));
    let functions = Closures::default()
        .process(1, |row, _, view, state| {
            state.put(0, row, view.key.unwrap(), view.value).unwrap();
            Ok(Ok(Vec::new()))
        })
        .punctuate(1, |_, at, state| {
            let (keys, values) = state.range(0, 0, None, None, 10).unwrap();
            let mut rows = Batch::default();
            for (key, value) in keys.iter().zip(values.iter()) {
                rows.push(key, value, at);
                state.put(0, 0, key.unwrap(), None).unwrap();
            }
            Ok(rows)
        });
    let mut t = Driver::new("story", &sketch.description, 1, functions).unwrap();
    t.input("in").send(Some(b"a"), Some(b"1"));
    t.advance(999);
    assert_eq!(shown(&t.output("out")), "");
    t.advance(1);
    assert_eq!(shown(&t.output("out")), "a=1@1000");
    t.input("in").send(Some(b"b"), Some(b"2"));
    t.advance(5500);
    assert_eq!(
        shown(&t.output("out")),
        "b=2@6500",
        "a jump over several makes one"
    );
}

#[test]
fn an_update_has_the_state_of_its_key_and_a_null_deletes_it() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let update = Operator::Update {
        function: FunctionId(1),
        store: "sums".to_owned(),
    };
    let update = sketch.node("update", &[source], update);
    sketch.node("sink", &[update], sink("out"));
    let functions = Closures::default().update(1, |state, row| {
        *state = row
            .value
            .map(|value| format!("{}{}", text(state.as_deref()), text(Some(value))).into());
        Ok(vec![(row.key.map(<[u8]>::to_vec), state.clone(), 0)])
    });
    let mut t = Driver::new("story", &sketch.description, 1, functions).unwrap();
    for (key, value) in [
        ("a", Some("1")),
        ("b", Some("2")),
        ("a", Some("3")),
        ("b", None),
    ] {
        t.input("in")
            .queue(Some(key.as_bytes()), value.map(str::as_bytes));
    }
    t.input("in").queue(None, Some(b"lost"));
    t.run();
    assert_eq!(shown(&t.output("out")), "a=-1@0 b=-2@0 a=-13@0 b=-@0");
    assert_eq!(t.store("sums"), [(b"a".to_vec(), b"-13".to_vec(), 0)]);
}

#[test]
fn two_processors_may_hand_rows_to_each_other_through_one_store() {
    let run = |rows: usize| {
        let mut sketch = Sketch::default();
        sketch.store("shared");
        let process = |function| Operator::Process {
            function: FunctionId(function),
            stores: vec!["shared".to_owned()],
            schedules: Vec::new(),
        };
        let source = sketch.node("source", &[], source("in"));
        let first = sketch.node("first", &[source], process(1));
        let second = sketch.node("second", &[first], process(2));
        sketch.node("sink", &[second], sink("out"));
        // The first sends what the second has left for it; the second leaves one more.
        let functions = Closures::default()
            .process(1, |row, _, view, state| {
                let keys = Column::from_iter([view.key]);
                let left = text(state.get_many(0, row, &keys).unwrap().get(0));
                Ok(Ok(vec![(
                    view.key.map(<[u8]>::to_vec),
                    Some(left.into()),
                    0,
                )]))
            })
            .process(2, |row, _, view, state| {
                let more = format!("{}+", text(view.value));
                state
                    .put(0, row, view.key.unwrap(), Some(more.as_bytes()))
                    .unwrap();
                Ok(Ok(vec![(
                    view.key.map(<[u8]>::to_vec),
                    view.value.map(<[u8]>::to_vec),
                    0,
                )]))
            });
        let limits = Limits {
            max_batch_rows: rows,
            ..Limits::default()
        };
        let topics = BTreeMap::new();
        let functions = Box::new(functions);
        let mut t =
            Driver::with("story", &sketch.description, &topics, 1, limits, functions).unwrap();
        for key in ["a", "a", "b", "a"] {
            t.input("in").queue(Some(key.as_bytes()), Some(b""));
        }
        t.run();
        shown(&t.output("out"))
    };
    assert_eq!(run(1000), "a=-@0 a=-+@0 b=-@0 a=-++@0");
    assert_eq!(run(1), run(1000));
}

#[test]
fn a_function_that_the_host_cannot_run_stops_the_task_and_blames_no_row() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let step = sketch.node("step", &[source], transform(1, false));
    sketch.node("sink", &[step], sink("out"));
    let topology = Arc::new(compile("story", &sketch.description).unwrap());
    let facts = TopicFacts {
        partitions: 1,
        max_message_bytes: 1000,
        compacted: false,
        max_ahead_ms: None,
    };
    let topics = ["in", "out"].map(|topic| (topic.to_owned(), facts));
    let plan = Arc::new(topology.plan(&BTreeMap::from(topics)).unwrap());
    let (id, backend) = (plan.tasks[0], Box::new(MemoryBackend::default()));
    let mut task = Task::new(topology, plan, id, backend, Limits::default());
    let mut rows = Batch::default();
    rows.push(None, Some(b"1"), 0);
    task.enqueue("in", rows, vec![0]);
    let mut effects = Effects::default();
    // No closure has the number 1.
    let error = task
        .step(Timestamp(0), &mut Closures::default(), &mut effects)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "node `step`: no closure has number 1 of this kind"
    );
    assert!(effects.dead_letters.is_empty());
}

#[test]
fn rows_that_are_passed_over_are_counted_by_reason() {
    let mut sketch = Sketch::default();
    let source = sketch.node("source", &[], source("in"));
    let window = Window::Hopping {
        size: 10,
        advance: 10,
        grace: 0,
    };
    let windowed = Operator::Aggregate {
        aggregator: Aggregator::Count,
        store: "windows".to_owned(),
        window: Some(window),
        emit: Emit::OnUpdate,
        skip_null_values: false,
    };
    sketch.node("windows", &[source], windowed);
    let mut t = Driver::new("story", &sketch.description, 1, Closures::default()).unwrap();
    t.input("in").at(100).queue(Some(b"a"), None);
    t.input("in").at(89).queue(Some(b"a"), None);
    t.input("in").at(100).queue(None, None);
    t.run();
    assert_eq!(
        (t.dropped(Reason::Late), t.dropped(Reason::NullKey)),
        (1, 1)
    );
    assert_eq!(t.windows("windows").len(), 1);
}
