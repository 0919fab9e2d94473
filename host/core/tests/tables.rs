//! Tables against small folds written from their definition: random rows in random batches, over
//! several partitions, with crashes and lost machines in between. `SEED` in the message of a
//! failing run names the rows.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use support::{Random, Sketch};
use weir_core::functions::{FunctionId, Step};
use weir_core::limits::Limits;
use weir_core::testing::{Closures, Driver, Row, RowView};
use weir_core::topology::description::{
    Aggregator, Description, Edge, Emit, JoinKind, Operator, Window,
};
use weir_core::topology::{TopicFacts, compile};

const SEEDS: u64 = 60;
const KINDS: [(JoinKind, &str); 3] = [
    (JoinKind::Inner, "inner"),
    (JoinKind::Left, "left"),
    (JoinKind::Outer, "outer"),
];

/// A table by the bytes of its keys. A value of `l` is group, foreign key (0: none) and number; one
/// of `m` and `r` is a number.
type Table = BTreeMap<Vec<u8>, Vec<u8>>;

fn is_kept(value: &[u8]) -> bool {
    value[2].is_multiple_of(2)
}

fn mapped(value: &[u8]) -> Vec<u8> {
    vec![value[0], value[1], value[2] + 1]
}

/// Group and member of a row; nobody is in group 0.
fn member(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    (value[0] > 0).then(|| (vec![value[0]], vec![value[2]]))
}

fn foreign_key(value: &[u8]) -> Option<Vec<u8>> {
    (value[1] > 0).then(|| vec![value[1]])
}

fn pair(left: Option<&[u8]>, right: Option<&[u8]>) -> Vec<u8> {
    let side = |side: Option<&[u8]>| side.unwrap_or(b"\xff").to_vec();
    [side(left), side(right)].concat()
}

fn functions() -> Closures {
    type Made = Option<(Option<Vec<u8>>, Option<Vec<u8>>)>;
    let one = |made: Made| {
        Ok(made
            .map(|(key, value)| (key, value, 0))
            .into_iter()
            .collect())
    };
    let key = |row: RowView<'_>| row.key.map(<[u8]>::to_vec);
    Closures::default()
        .transform(1, move |row| {
            let value = row.value.unwrap();
            one(is_kept(value).then(|| (key(row), Some(value.to_vec()))))
        })
        .transform(2, move |row| {
            one(Some((key(row), Some(mapped(row.value.unwrap())))))
        })
        .transform(3, move |row| {
            let member = member(row.value.unwrap());
            one(member.map(|(group, member)| (Some(group), Some(member))))
        })
        .fold(4, |step, left, _, row| {
            let sum = left.map_or(0, |left| i64::from_be_bytes(left.try_into().unwrap()));
            let change = i64::from(row.value.unwrap()[0]);
            let sum = match step {
                Step::Subtract => sum - change,
                _ => sum + change,
            };
            Ok(Some(sum.to_be_bytes().to_vec()))
        })
        .combine(5, |_, left, right| Ok(Some(pair(left, right))))
        .transform(6, move |row| {
            one(Some((foreign_key(row.value.unwrap()), None)))
        })
}

/// Joins, groups and filters of tables, each of which may have a store or not.
fn topology(random: &mut Random) -> Description {
    let mut t = Sketch::default();
    let mut perhaps = |name: &str| (random.below(2) == 0).then(|| name.to_owned());
    let [l, m, r] = ["l", "m", "r"].map(|name| {
        let operator = Operator::Table {
            topic: name.to_owned(),
            store: perhaps(name),
            history: None,
        };
        t.node(name, &[], operator)
    });
    let filter = Operator::TableFilter {
        function: FunctionId(1),
        store: perhaps("kept"),
    };
    let kept = t.node("kept", &[l], filter);
    let map = Operator::TableMapValues {
        function: FunctionId(2),
        store: perhaps("mapped"),
    };
    let mapped = t.node("mapped", &[kept], map);
    let function = FunctionId(3);
    let groups = t.node("groups", &[mapped], Operator::TableGroupBy { function });
    for (store, aggregator) in [
        ("counts", Aggregator::Count),
        ("sums", Aggregator::Function(FunctionId(4))),
    ] {
        let store = store.to_owned();
        let name = store.clone();
        t.node(
            &name,
            &[groups],
            Operator::TableAggregate { aggregator, store },
        );
    }
    let join = |kind, store| Operator::TableTableJoin {
        kind,
        function: FunctionId(5),
        store,
    };
    for (kind, name) in KINDS {
        t.node(name, &[mapped, m], join(kind, Some(name.to_owned())));
    }
    let either = t.node("either", &[kept, m], join(JoinKind::Outer, None));
    t.node(
        "three",
        &[either, l],
        join(JoinKind::Outer, Some("three".to_owned())),
    );
    for (kind, name, left) in [
        (JoinKind::Inner, "foreign", l),
        (JoinKind::Left, "left-foreign", mapped),
    ] {
        foreign(&mut t, name, (kind, left, r));
    }
    t.description
}

fn foreign(t: &mut Sketch, name: &str, (kind, left, right): (JoinKind, Edge, Edge)) {
    let operator = Operator::ForeignKeyJoin {
        kind,
        function: FunctionId(5),
        foreign_key: FunctionId(6),
        store: Some(name.to_owned()),
    };
    t.node(name, &[left, right], operator);
}

fn joined(kind: JoinKind, left: &Table, right: &Table) -> Table {
    let mut keys: Vec<&Vec<u8>> = left.keys().chain(right.keys()).collect();
    keys.dedup();
    let mut all = Table::new();
    for key in keys {
        let [left, right] = [left, right].map(|side| side.get(key).map(Vec::as_slice));
        let is_there = match kind {
            JoinKind::Inner => left.is_some() && right.is_some(),
            JoinKind::Left => left.is_some(),
            JoinKind::Outer => true,
        };
        if is_there {
            all.insert(key.clone(), pair(left, right));
        }
    }
    all
}

fn joined_foreign(kind: JoinKind, left: &Table, right: &Table) -> Table {
    let row = |(key, value): (&Vec<u8>, &Vec<u8>)| {
        let right = foreign_key(value).and_then(|key| right.get(&key));
        let is_there = right.is_some() || kind == JoinKind::Left;
        is_there.then(|| (key.clone(), pair(Some(value), right.map(Vec::as_slice))))
    };
    left.iter().filter_map(row).collect()
}

/// What the stores must hold, given the tables.
fn expected(l: &Table, m: &Table, r: &Table) -> BTreeMap<&'static str, Table> {
    let kept: Table = l
        .iter()
        .filter(|(_, value)| is_kept(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mapped: Table = kept
        .iter()
        .map(|(key, value)| (key.clone(), mapped(value)))
        .collect();
    let mut groups: BTreeMap<Vec<u8>, (i64, i64)> = BTreeMap::new();
    for (group, member) in mapped.values().filter_map(|value| member(value)) {
        let (count, sum) = groups.entry(group).or_default();
        (*count, *sum) = (*count + 1, *sum + i64::from(member[0]));
    }
    let of_groups = |pick: &dyn Fn(&(i64, i64)) -> i64| {
        let entry = |(key, group): (&Vec<u8>, &(i64, i64))| {
            (key.clone(), pick(group).to_be_bytes().to_vec())
        };
        groups.iter().map(entry).collect()
    };
    let mut all = BTreeMap::from([
        ("counts", of_groups(&|(count, _)| *count)),
        ("sums", of_groups(&|(_, sum)| *sum)),
        ("foreign", joined_foreign(JoinKind::Inner, l, r)),
        ("left-foreign", joined_foreign(JoinKind::Left, &mapped, r)),
        (
            "three",
            joined(JoinKind::Outer, &joined(JoinKind::Outer, &kept, m), l),
        ),
    ]);
    for (kind, name) in KINDS {
        all.insert(name, joined(kind, &mapped, m));
    }
    all
}

fn driver(random: &mut Random) -> Driver {
    let limits = Limits {
        max_batch_rows: [1, 7, 1000][random.below(3)],
        ..Limits::default()
    };
    let mut partitions = || 1 + u32::try_from(random.below(4)).unwrap();
    let (left, right) = (partitions(), partitions());
    let facts = TopicFacts {
        partitions: right,
        max_message_bytes: 1_048_588,
        compacted: false,
        max_ahead_ms: None,
    };
    let facts = BTreeMap::from([("r".to_owned(), facts)]);
    let description = topology(random);
    let functions = Box::new(functions());
    Driver::with("tables", &description, &facts, left, limits, functions).unwrap()
}

#[test]
fn what_is_made_of_tables_is_what_their_rows_say() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut driver = driver(&mut random);
        let mut tables: BTreeMap<&str, Table> = BTreeMap::new();
        for _ in 0..150 {
            let name = ["l", "l", "m", "r"][random.below(4)];
            let mut byte = |bound: usize| u8::try_from(random.below(bound)).unwrap();
            let (key, value) = match name {
                "l" => (byte(8), vec![byte(4), byte(5), byte(10)]),
                "m" => (byte(8), vec![byte(10)]),
                _ => (1 + byte(4), vec![byte(10)]),
            };
            let (key, value) = (vec![key], (random.below(4) > 0).then_some(value));
            let time = i64::try_from(random.below(100)).unwrap();
            let input = driver.input(name).at(time);
            input.queue(Some(&key), value.as_deref());
            let table = tables.entry(name).or_default();
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
            match random.below(30) {
                0 => driver.lose_state(),
                1 => driver.crash(),
                2..9 => driver.run(),
                9 => driver.hold_commits(),
                10..20 => driver.release_commits(),
                _ => {}
            }
        }
        driver.release_commits();
        driver.run();
        let [l, m, r] = ["l", "m", "r"].map(|name| tables.remove(name).unwrap_or_default());
        for (store, expected) in expected(&l, &m, &r) {
            let is_group = store == "counts" || store == "sums";
            let held: Table = driver
                .store(store)
                .into_iter()
                .map(|(key, value, _)| (key, value))
                // A group that all have left stays, with nothing in it.
                .filter(|(key, value)| !is_group || expected.contains_key(key) || *value != [0; 8])
                .collect();
            assert_eq!(held, expected, "store `{store}`, SEED={seed}");
        }
        assert!(driver.dead_letters().is_empty(), "SEED={seed}");
    }
}

#[test]
fn an_answer_finds_the_task_of_its_left_row_though_the_key_does_not_say_it() {
    let mut t = Sketch::default();
    let topic = "clicks".to_owned();
    let clicks = t.node("clicks", &[], Operator::Source { topic });
    let (size, advance, grace) = (10, 10, 0);
    let counts = Operator::Aggregate {
        aggregator: Aggregator::Count,
        store: "counts".to_owned(),
        window: Some(Window::Hopping {
            size,
            advance,
            grace,
        }),
        emit: Emit::OnUpdate,
        skip_null_values: false,
    };
    let counts = t.node("counts", &[clicks], counts);
    let (topic, store, history) = ("names".to_owned(), None, None);
    let names = Operator::Table {
        topic,
        store,
        history,
    };
    let names = t.node("names", &[], names);
    let operator = Operator::ForeignKeyJoin {
        kind: JoinKind::Inner,
        function: FunctionId(1),
        foreign_key: FunctionId(2),
        store: Some("named".to_owned()),
    };
    t.node("named", &[counts, names], operator);
    let functions = Closures::default()
        .combine(1, |_, _, right| Ok(right.map(<[u8]>::to_vec)))
        .transform(2, |row| Ok(vec![(row.value.map(<[u8]>::to_vec), None, 0)]));
    let mut driver = Driver::new("tables", &t.description, 4, functions).unwrap();
    let one = 1_i64.to_be_bytes();
    driver.input("names").send(Some(&one), Some(b"once"));
    for key in 0..20 {
        driver.input("clicks").at(5).send(Some(&[key]), None);
    }
    let named = driver.store("named");
    assert_eq!(
        named.len(),
        20,
        "each key has its window's result: {named:?}"
    );
}

/// The same tables with the result of each sent on, but for those that go through topics.
fn sending(random: &mut Random) -> Description {
    let mut description = topology(random);
    let names = [
        "kept", "mapped", "inner", "left", "outer", "either", "three",
    ];
    let mut t = Sketch {
        description: std::mem::take(&mut description),
    };
    for name in names {
        let node = t
            .description
            .nodes
            .iter()
            .position(|node| node.name == name);
        let node = u32::try_from(node.unwrap()).unwrap();
        let topic = "out".to_owned();
        t.node(
            &format!("{name}-out"),
            &[Edge { node, port: 0 }],
            Operator::Sink { topic },
        );
    }
    t.description
}

#[test]
fn batches_change_nothing() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let description = sending(&mut random);
        let rows: Vec<(usize, u8, Option<Vec<u8>>)> = (0..100)
            .map(|_| {
                let mut byte = |bound: usize| u8::try_from(random.below(bound)).unwrap();
                let (key, value) = (byte(5), vec![byte(4), byte(5), byte(10)]);
                (random.below(2), key, (random.below(4) > 0).then_some(value))
            })
            .collect();
        let run = |batch: usize, row_by_row: bool| -> Vec<Row> {
            let limits = Limits {
                max_batch_rows: batch,
                ..Limits::default()
            };
            let topology = compile("tables", &description).unwrap();
            let topology = if row_by_row {
                topology.row_by_row()
            } else {
                topology
            };
            let facts = BTreeMap::new();
            let functions = Box::new(functions());
            let mut driver = Driver::of(topology, &facts, 1, limits, functions).unwrap();
            for (time, (table, key, value)) in (0..).zip(&rows) {
                let input = driver.input(["l", "m"][*table]).at(time);
                input.queue(Some(&[*key]), value.as_deref());
            }
            driver.run();
            driver.output("out")
        };
        let oracle = run(1, true);
        for batch in [1, 7, 1000] {
            assert_eq!(run(batch, false), oracle, "batches of {batch}, SEED={seed}");
        }
    }
}
