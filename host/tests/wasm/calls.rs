//! Calls: what goes in comes out, state is reached, and an instance remembers only what happened.

use std::collections::BTreeMap;

use weir_core::functions::{FunctionId, Functions, Request, Step, Steps};
use weir_core::record::Column;
use weir_core::topology::description::{Operator, RouteKey, Window};
use weir_host::wasm::{DescribeError, Limits};

use crate::guest::{CALLS, ECHO, Shelf, column, component, instance, rows};

const F: FunctionId = FunctionId(0);

fn config(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

#[test]
fn a_service_says_what_it_is() {
    let described = component(&Limits::default())
        .describe(&BTreeMap::new())
        .unwrap();
    let names: Vec<_> = described
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    let expected = "in table echo joined paired counted processed out";
    assert_eq!(names.join(" "), expected);
    assert!(matches!(
        &described.nodes[2].operator,
        Operator::Transform { function: ECHO, steps, .. } if steps == &["filter", "map"]
    ));
    let Operator::Aggregate { window, .. } = &described.nodes[5].operator else {
        panic!("{:?}", described.nodes[5]);
    };
    let (size, advance, grace) = (60_000, 60_000, 5_000);
    assert_eq!(
        *window,
        Some(Window::Hopping {
            size,
            advance,
            grace
        })
    );
    assert_eq!(described.routes[0].key, RouteKey::Function(F));
}

#[test]
fn a_service_may_refuse_its_configuration() {
    let error = component(&Limits::default())
        .describe(&config("refuse", "blue"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service refuses its configuration: `refuse` cannot be blue"
    );
}

#[test]
fn a_panic_in_describe_is_told_in_its_own_words() {
    let error = component(&Limits::default())
        .describe(&config("panic", "oh dear"))
        .unwrap_err();
    assert!(matches!(error, DescribeError::Failed(_)));
    assert!(error.to_string().contains("oh dear"), "{error}");
}

#[test]
fn rows_come_back_as_they_went() {
    let mut input = rows(&["one", "two"]);
    input.push(None, None, 5);
    let headers = [("trace", Some(&b"7"[..])), ("trace", None)];
    input.push_with_headers(Some(b"k"), Some(b""), 6, headers);
    let output = instance().transform(ECHO, &input).unwrap();
    assert_eq!(output.rows, input);
    assert_eq!(output.origins, [0, 1, 2, 3]);
}

#[test]
fn no_rows_are_rows_too() {
    assert!(
        instance()
            .transform(ECHO, &rows(&[]))
            .unwrap()
            .rows
            .is_empty()
    );
}

#[test]
fn joiners_aggregators_and_keyed_processors_answer() {
    let mut guest = instance();
    let (keys, left) = (column(&[Some("k"), Some("k")]), column(&[Some("a"), None]));
    let combined = guest
        .combine(F, &keys, &left, &column(&[Some("b"), Some("c")]))
        .unwrap();
    assert_eq!(combined.values, column(&[Some("a+b"), Some("-+c")]));

    let steps = Steps {
        kinds: vec![Step::Add, Step::Subtract, Step::Merge],
        left: vec![0, Steps::NO_STATE, 1],
        right: vec![0, 0, 2],
        rows: vec![0, 1, 0],
    };
    let folded = guest
        .fold(F, &rows(&["x", "y"]), &steps, &column(&[Some("s")]))
        .unwrap();
    assert_eq!(
        folded.states,
        column(&[Some("sx"), Some("-y"), Some("sx-y")])
    );

    let states = column(&[None, Some("4")]);
    let updated = guest
        .update(F, &rows(&["x", "y", "z"]), &[1, 0, 1], &states)
        .unwrap();
    assert_eq!(updated.states, column(&[Some("1"), Some("6")]));
    assert_eq!(updated.output.rows.len(), 3);
}

#[test]
fn a_processor_reaches_its_stores() {
    let (mut guest, mut shelf) = (instance(), Shelf::default());
    let first = guest
        .process(F, &rows(&["a", "b"]), &[0, 0], &mut shelf)
        .unwrap();
    assert_eq!(first.rows.values, Column::nulls(2));
    let second = guest.process(F, &rows(&["c"]), &[0], &mut shelf).unwrap();
    assert_eq!(second.rows.values, column(&[Some("a")]));
    let all = guest
        .process(FunctionId(2), &rows(&["?"]), &[0], &mut shelf)
        .unwrap();
    assert_eq!(all.rows.values, column(&[Some("c,b")]));

    shelf.entries.insert(b"key".to_vec(), b"found".to_vec());
    let output = guest.punctuate(F, 3, 77, &mut shelf).unwrap();
    assert_eq!(output.rows.keys, column(&[Some("3")]));
    assert_eq!(output.rows.values, column(&[Some("found")]));
    assert_eq!(output.rows.timestamps, [77]);
}

#[test]
fn requests_are_located_decided_and_answered() {
    let (mut guest, mut shelf) = (instance(), Shelf::default());
    let mut request = Request {
        method: "POST".to_owned(),
        path: "/things/1".to_owned(),
        body: b"blue".to_vec(),
        unique: "f00".to_owned(),
        ..Request::default()
    };
    assert_eq!(guest.locate(F, &request).unwrap().unwrap_err().status, 400);
    request.headers.push(("key".to_owned(), "1".to_owned()));
    assert_eq!(guest.locate(F, &request).unwrap().unwrap(), b"1");

    assert_eq!(
        guest.answer(F, &request, &mut shelf).unwrap(),
        None,
        "not yet"
    );
    let outcomes = guest
        .handle(F, std::slice::from_ref(&request), &mut shelf)
        .unwrap();
    assert_eq!((outcomes.len(), outcomes[0].response.status), (1, 201));
    assert_eq!(outcomes[0].rows[0].value.as_deref(), Some(&b"blue"[..]));
    assert_eq!(
        guest.answer(F, &request, &mut shelf).unwrap().unwrap().body,
        b"blue"
    );
}

#[test]
fn memory_lives_as_long_as_what_happened() {
    let mut guest = instance();
    let mut calls = || -> Column { guest.transform(CALLS, &rows(&["?"])).unwrap().rows.values };
    assert_eq!(calls(), column(&[Some("1")]));
    assert_eq!(calls(), column(&[Some("2")]));
    guest.reset();
    let fresh = guest.transform(CALLS, &rows(&["?"])).unwrap();
    assert_eq!(fresh.rows.values, column(&[Some("1")]));
}

#[test]
fn an_instance_moves_between_threads() {
    let mut guest = instance();
    guest.transform(ECHO, &rows(&["here"])).unwrap();
    let there = std::thread::spawn(move || guest.transform(CALLS, &rows(&["there"])).unwrap());
    assert_eq!(there.join().unwrap().rows.values, column(&[Some("2")]));
}
