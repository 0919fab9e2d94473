//! The functions, by number. Values are text; a bad row is one whose value is the name of a
//! misdeed.

#![expect(
    unsafe_code,
    clippy::too_many_arguments,
    reason = "the exports that wit-bindgen generates"
)]

use std::cell::Cell;

use bindings::weir::service::host::{Level, log};
use bindings::weir::service::http::Appended;
use bindings::weir::service::records::Rejection;
use bindings::weir::service::state;
use bindings::weir::service::topology::{
    Aggregate, Aggregator, Clock, Edge, Emit, JoinKind, Node, Operator, Process, Route, RouteKey,
    RouteKind, Schedule, Store, StreamJoin, Table, TableJoin, Transform, Window,
};
use bindings::{
    Batch, Column, Combined, Description, Folded, Guest, Outcome, Output, Request, Response, Steps,
    Updated, export,
};

mod bindings {
    wit_bindgen::generate!({ world: "service", path: "../../../wit" });
}

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Misbehaving;

export!(Misbehaving with_types_in bindings);

impl Guest for Misbehaving {
    fn describe(config: Vec<(String, String)>) -> Result<Description, String> {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
        for (key, value) in &config {
            match key.as_str() {
                "refuse" => return Err(format!("`refuse` cannot be {value}")),
                "panic" => panic!("{value}"),
                _ => {}
            }
        }
        Ok(description())
    }

    /// 0: the rows, but for the bad ones. 1: the number of this instance's calls, as a value.
    fn transform(function: u32, input: Batch) -> Output {
        let calls = CALLS.get() + 1;
        CALLS.set(calls);
        let mut output = everything(input);
        let mut start = 0;
        for row in 0..output.rows.values.lengths.len() {
            let end = start + output.rows.values.lengths[row].max(0) as usize;
            match &output.rows.values.bytes[start..end] {
                b"trap" => panic!("row {row} is a trap"),
                b"loop" => loop {
                    std::hint::black_box(row);
                },
                b"grow" => grow(),
                b"recurse" => drop(std::hint::black_box(recurse(row as u64))),
                b"state" => drop(state::get(0, 0, b"key")),
                b"log" => log(Level::Info, &"long ".repeat(10_000)),
                b"chatter" => (0..100).for_each(|line| log(Level::Info, &format!("line {line}"))),
                b"lengths" => output.rows.values.lengths[row] += 1,
                b"origins" => output.origins[row] = 1_000_000,
                b"timestamps" => output.rows.timestamps.clear(),
                b"huge" => output.rows.values.bytes = vec![0; 40 << 20],
                b"reject" => output.rejected.push(Rejection {
                    row: row as u32,
                    reason: "it asks for it".to_owned(),
                }),
                _ => {}
            }
            start = end;
        }
        if function == 1 {
            output.rows.values = column(&vec![Some(calls.to_string()); output.origins.len()]);
        }
        output
    }

    /// "left+right", a missing side being "-".
    fn combine(_: u32, _: Column, left: Column, right: Column) -> Combined {
        let text = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        let joined: Vec<_> = rows(&left)
            .into_iter()
            .zip(rows(&right))
            .map(|(left, right)| Some(format!("{}+{}", text(left), text(right))))
            .collect();
        Combined {
            values: column(&joined),
            rejected: Vec::new(),
        }
    }

    /// The values that were added, one behind the other.
    fn fold(_: u32, input: Batch, steps: Steps, states: Column) -> Folded {
        let (given, values) = (states.lengths.len(), rows(&input.values));
        let mut all = rows(&states);
        for step in 0..steps.kinds.len() {
            let state = |number: u32| {
                all.get(number as usize)
                    .cloned()
                    .flatten()
                    .unwrap_or_default()
            };
            let row = steps.rows[step] as usize;
            let right = match steps.kinds[step] {
                0 => values[row].clone().unwrap_or_default(),
                1 => format!("-{}", values[row].clone().unwrap_or_default()),
                _ => state(steps.right[step]),
            };
            all.push(Some(state(steps.left[step]) + &right));
        }
        Folded {
            states: column(&all[given..]),
            rejected: None,
        }
    }

    /// The state is the number of a group's rows.
    fn update(_: u32, input: Batch, groups: Vec<u32>, states: Column) -> Updated {
        let number =
            |state: Option<String>| state.and_then(|it| it.parse::<u32>().ok()).unwrap_or(0);
        let mut counts: Vec<u32> = rows(&states).into_iter().map(number).collect();
        groups.iter().for_each(|&group| counts[group as usize] += 1);
        let counts: Vec<_> = counts.iter().map(|count| Some(count.to_string())).collect();
        Updated {
            output: everything(input),
            states: column(&counts),
        }
    }

    /// 0: the value goes into the store under its key, the former one comes out. 1: the same with a
    /// store that was not declared. 2: all values of the store, in one row.
    fn process(function: u32, input: Batch, _: Vec<i64>) -> Output {
        let (keys, values) = (rows(&input.keys), rows(&input.values));
        let mut output = everything(input);
        if function == 2 {
            let found = rows(&state::range(0, 0, None, None, 100).values);
            let found: Vec<_> = found.into_iter().flatten().collect();
            output.rows.values = column(&vec![Some(found.join(",")); keys.len()]);
            return output;
        }
        let store = if function == 1 { 7 } else { 0 };
        let before = rows(&state::get_many(store, 0, &output.rows.keys));
        for (row, (key, value)) in keys.iter().zip(&values).enumerate() {
            let key = key.as_deref().unwrap_or_default().as_bytes();
            state::put(store, row as u32, key, value.as_deref().map(str::as_bytes));
        }
        output.rows.values = column(&before);
        output
    }

    /// A row at the time, with what the store has under "key".
    fn punctuate(_: u32, schedule: u32, at: i64) -> Output {
        let found = state::get(0, 0, b"key").and_then(|value| String::from_utf8(value).ok());
        everything(Batch {
            keys: column(&[Some(schedule.to_string())]),
            values: column(&[found]),
            timestamps: vec![at],
            headers: None,
        })
    }

    fn locate(_: u32, request: Request) -> Result<Vec<u8>, Response> {
        let key = request.headers.into_iter().find(|(name, _)| name == "key");
        key.map(|(_, key)| key.into_bytes())
            .ok_or_else(|| response(400, "no key"))
    }

    /// The body goes into the store under the path, and into the first topic.
    fn handle(_: u32, requests: Vec<Request>) -> Vec<Outcome> {
        let outcome = |request: Request| {
            state::put(0, 0, request.path.as_bytes(), Some(&request.body));
            Outcome {
                response: response(201, &request.unique),
                rows: vec![Appended {
                    topic: 0,
                    key: Some(request.path.into_bytes()),
                    value: Some(request.body),
                }],
            }
        };
        requests.into_iter().map(outcome).collect()
    }

    /// What the store has under the path; before that, not yet.
    fn answer(_: u32, request: Request) -> Option<Response> {
        let found = state::get(0, 0, request.path.as_bytes())?;
        Some(response(200, &String::from_utf8_lossy(&found)))
    }
}

fn grow() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> [u64; 64] {
    let mut below = std::hint::black_box([depth; 64]);
    if depth < u64::MAX {
        below[1] += recurse(depth + 1)[0];
    }
    below
}

fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

/// All rows, unchanged.
fn everything(rows: Batch) -> Output {
    Output {
        origins: (0..rows.timestamps.len() as u32).collect(),
        rows,
        ports: Vec::new(),
        rejected: Vec::new(),
    }
}

fn rows(column: &Column) -> Vec<Option<String>> {
    let mut start = 0;
    let row = |&length: &i32| {
        let end = start + usize::try_from(length).ok()?;
        let text = String::from_utf8_lossy(&column.bytes[start..end]).into_owned();
        start = end;
        Some(text)
    };
    column.lengths.iter().map(row).collect()
}

fn column(rows: &[Option<String>]) -> Column {
    Column {
        bytes: rows.iter().flatten().flat_map(|row| row.bytes()).collect(),
        lengths: rows
            .iter()
            .map(|row| row.as_ref().map_or(-1, |row| row.len() as i32))
            .collect(),
    }
}

/// Most of what a description can say.
fn description() -> Description {
    let node = |name: &str, inputs: &[u32], operator: Operator| Node {
        name: name.to_owned(),
        inputs: inputs.iter().map(|&node| Edge { node, port: 0 }).collect(),
        operator,
    };
    let table = |topic: &str| Table {
        topic: topic.to_owned(),
        store: Some(format!("{topic}-store")),
        history: None,
    };
    let nodes = vec![
        node("in", &[], Operator::Source("in".to_owned())),
        node("table", &[], Operator::Table(table("table"))),
        node(
            "echo",
            &[0],
            Operator::Transform(Transform {
                function: 0,
                ports: 1,
                steps: vec!["filter".to_owned(), "map".to_owned()],
                rekeys: false,
            }),
        ),
        node(
            "joined",
            &[2, 1],
            Operator::StreamTableJoin(TableJoin {
                kind: JoinKind::Left,
                function: 0,
                grace: None,
            }),
        ),
        node(
            "paired",
            &[2, 0],
            Operator::StreamStreamJoin(StreamJoin {
                kind: JoinKind::Outer,
                function: 0,
                before: 1,
                after: 2,
                grace: 3,
                left_store: "left".to_owned(),
                right_store: "right".to_owned(),
            }),
        ),
        node(
            "counted",
            &[2],
            Operator::Aggregate(Aggregate {
                aggregator: Aggregator::Count,
                store: "counts".to_owned(),
                window: Some(Window::Hopping((60_000, 60_000, 5_000))),
                emit: Emit::OnUpdate,
                skip_null_values: true,
            }),
        ),
        node(
            "processed",
            &[3],
            Operator::Process(Process {
                function: 0,
                stores: vec!["shared".to_owned()],
                schedules: vec![Schedule {
                    interval: 1000,
                    clock: Clock::WallClock,
                }],
            }),
        ),
        node("out", &[6], Operator::Sink("out".to_owned())),
    ];
    Description {
        nodes,
        stores: vec![Store {
            name: "shared".to_owned(),
            logged: true,
        }],
        routes: vec![Route {
            method: "POST".to_owned(),
            path: "/things/{id}".to_owned(),
            kind: RouteKind::Command,
            function: 0,
            key: RouteKey::Function(0),
            stores: vec!["shared".to_owned()],
            topics: vec!["in".to_owned()],
        }],
    }
}
