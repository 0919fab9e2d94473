//! Stories of requests: commands decide and append, queries wait for what was committed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use support::Sketch;
use weir_core::functions::{Appended, Failure, FunctionId, Outcome, Response};
use weir_core::record::Column;
use weir_core::testing::{Closures, Driver};
use weir_core::topology::description::{Operator, Route, RouteKey, RouteKind};

fn source(topic: &str) -> Operator {
    Operator::Source {
        topic: topic.to_owned(),
    }
}

/// Commands decide by the store `taken`, the query reads it.
fn accounts() -> Driver {
    let mut sketch = Sketch::default();
    sketch.store("taken");
    let source = sketch.node("source", &[], source("names"));
    sketch.node(
        "table",
        &[source],
        Operator::ToTable {
            store: Some("known".to_owned()),
        },
    );
    let route = |method: &str, kind, topics: &[&str]| Route {
        method: method.to_owned(),
        path: "/names/{name}".to_owned(),
        kind,
        function: FunctionId(1),
        key: RouteKey::Parameter("name".to_owned()),
        stores: vec!["taken".to_owned(), "known".to_owned()],
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
    };
    sketch
        .description
        .routes
        .push(route("POST", RouteKind::Command, &["names"]));
    sketch
        .description
        .routes
        .push(route("GET", RouteKind::Query, &[]));
    let status = |status| Response {
        status,
        ..Response::default()
    };
    let functions = Closures::default()
        .handle(1, move |row, request, state| {
            let key = request.parameters[0].1.clone().into_bytes();
            let found = state
                .get_many(0, row, &Column::from_iter([Some(&key[..])]))
                .unwrap();
            state.put(0, row, &key, Some(&request.body)).unwrap();
            if request.body == b"trap" {
                return Err(Failure::Trapped {
                    reason: "boom".into(),
                    backtrace: String::new(),
                });
            }
            if found.get(0).is_some() {
                return Ok(Outcome {
                    response: status(409),
                    rows: Vec::new(),
                });
            }
            let rows = vec![Appended {
                topic: 0,
                key: Some(key),
                value: Some(request.body.clone()),
            }];
            Ok(Outcome {
                response: status(201),
                rows,
            })
        })
        .answer(1, move |request, state| {
            let key = request.parameters[0].1.clone().into_bytes();
            let found = state
                .get_many(1, 0, &Column::from_iter([Some(&key[..])]))
                .unwrap();
            Ok(found.get(0).map(|body| Response {
                body: body.to_vec(),
                ..status(200)
            }))
        });
    Driver::new("story", &sketch.description, 4, functions).unwrap()
}

#[test]
fn a_command_decides_writes_and_appends_and_a_query_sees_what_was_committed() {
    let mut t = accounts();
    assert_eq!(t.request("GET", "/names/ada", b""), None, "not yet");
    assert_eq!(
        t.request("POST", "/names/ada", b"hello").unwrap().status,
        201
    );
    assert_eq!(t.request("GET", "/names/ada", b"").unwrap().body, b"hello");
    assert_eq!(
        t.request("POST", "/names/ada", b"again").unwrap().status,
        409
    );
    assert_eq!(t.request("DELETE", "/names/ada", b"").unwrap().status, 404);
}

#[test]
fn a_command_that_traps_fails_alone_and_leaves_nothing_behind() {
    let mut t = accounts();
    assert_eq!(
        t.request("POST", "/names/bob", b"trap").unwrap().status,
        500
    );
    assert_eq!(t.store("taken"), []);
    let letters = t.dead_letters();
    assert_eq!(
        (letters[0].position.clone(), letters[0].reason.as_str()),
        (None, "boom")
    );
    assert_eq!(letters[0].node, "POST /names/{name}");
    assert_eq!(
        t.request("POST", "/names/bob", b"hello").unwrap().status,
        201
    );
}
