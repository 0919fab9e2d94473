//! The state of windows, sessions and joins is bounded: what has expired leaves the store.
//!
//! A long stream goes through each kind of store, and its size is watched: it must not grow with
//! the length of the stream, neither in what is committed nor in what one transaction holds.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use support::Sketch;
use weir_core::functions::FunctionId;
use weir_core::testing::{Closures, Driver};
use weir_core::topology::description::{
    Aggregator, Edge, Emit, JoinKind, Operator, StreamStreamJoin, Until, Window,
};

const SECOND: i64 = 1000;
/// No segment is shorter than this; an entry may outlive its retention by as much.
const SEGMENT: i64 = 60 * SECOND;
const KEYS: i64 = 5;

fn source(t: &mut Sketch) -> Edge {
    let topic = "in".to_owned();
    t.node("in", &[], Operator::Source { topic })
}

fn sink(t: &mut Sketch, from: Edge) {
    let topic = "out".to_owned();
    t.node("out", &[from], Operator::Sink { topic });
}

fn counted(window: Window, emit: Emit) -> Sketch {
    let mut t = Sketch::default();
    let from = source(&mut t);
    let count = Operator::Aggregate {
        aggregator: Aggregator::Count,
        store: "store".to_owned(),
        window: Some(window),
        emit,
        skip_null_values: true,
    };
    let count = t.node("count", &[from], count);
    sink(&mut t, count);
    t
}

fn joined(kind: JoinKind) -> Sketch {
    let mut t = Sketch::default();
    let left = source(&mut t);
    let topic = "other".to_owned();
    let right = t.node("other", &[], Operator::Source { topic });
    let join = Operator::StreamStreamJoin(StreamStreamJoin {
        kind,
        function: FunctionId(1),
        before: 10 * SECOND,
        after: 10 * SECOND,
        grace: 20 * SECOND,
        left_store: "store".to_owned(),
        right_store: "store-of-others".to_owned(),
    });
    let join = t.node("join", &[left, right], join);
    sink(&mut t, join);
    t
}

fn suppressed() -> Sketch {
    let mut t = counted(tumbling(), Emit::OnUpdate);
    t.description.nodes.pop();
    let count = Edge { node: 1, port: 0 };
    let held = Operator::Suppress {
        store: "held".to_owned(),
        until: Until::WindowCloses,
    };
    let held = t.node("held", &[count], held);
    sink(&mut t, held);
    t
}

fn tumbling() -> Window {
    Window::Hopping {
        size: 10 * SECOND,
        advance: 10 * SECOND,
        grace: 20 * SECOND,
    }
}

/// The most entries that the store had after each of `minutes` minutes, in which each key has a row
/// a second. One commit a minute.
fn most_entries(sketch: &Sketch, store: &str, minutes: i64) -> usize {
    let joiner = Closures::default().combine(1, |_, left, _| Ok(left.map(<[u8]>::to_vec)));
    let mut t = Driver::new("long", &sketch.description, 1, joiner).unwrap();
    let mut most = 0;
    for minute in 0..minutes {
        t.hold_commits();
        for second in 0..60 {
            for key in 0..KEYS {
                let at = (minute * 60 + second) * SECOND + key;
                let key = format!("key {key}");
                t.input("in").at(at).queue(Some(key.as_bytes()), Some(b"v"));
            }
        }
        t.release_commits();
        most = most.max(t.store(store).len());
    }
    assert!(most > 0, "something is kept");
    most
}

/// The bound: what the retention and a segment at either end can hold, at so many entries a second
/// for each key; and the store's own record.
fn assert_bounded(sketch: &Sketch, store: &str, retention: i64, (entries, every): (i64, i64)) {
    let kept = (retention + 2 * SEGMENT) / every;
    let bound = usize::try_from(KEYS * kept * entries + 1).unwrap();
    let (short, long) = (
        most_entries(sketch, store, 5),
        most_entries(sketch, store, 30),
    );
    assert!(long <= bound, "{long} entries of at most {bound}");
    assert_eq!(short, long, "a stream six times as long keeps no more");
}

#[test]
fn windows_leave_their_store() {
    let sketch = counted(tumbling(), Emit::OnUpdate);
    assert_bounded(&sketch, "store", 30 * SECOND, (1, 10 * SECOND));
}

#[test]
fn windows_that_were_sent_leave_their_store_and_its_index() {
    let sketch = counted(tumbling(), Emit::OnWindowClose);
    assert_bounded(&sketch, "store", 30 * SECOND, (2, 10 * SECOND));
}

#[test]
fn sliding_windows_leave_their_store() {
    let sliding = Window::Sliding {
        size: 10 * SECOND,
        grace: 5 * SECOND,
    };
    for emit in [Emit::OnUpdate, Emit::OnWindowClose] {
        assert_bounded(&counted(sliding, emit), "store", 25 * SECOND, (3, SECOND));
    }
}

#[test]
fn sessions_leave_their_store() {
    let session = Window::Session {
        gap: SECOND / 2,
        grace: 10 * SECOND,
    };
    for emit in [Emit::OnUpdate, Emit::OnWindowClose] {
        assert_bounded(&counted(session, emit), "store", 11 * SECOND, (2, SECOND));
    }
}

#[test]
fn rows_of_joins_leave_their_store_with_those_that_waited() {
    for kind in [JoinKind::Inner, JoinKind::Left] {
        assert_bounded(&joined(kind), "store", 40 * SECOND, (2, SECOND));
    }
}

#[test]
fn a_suppress_keeps_only_what_is_still_to_be_sent() {
    let sketch = suppressed();
    assert_bounded(&sketch, "held", 30 * SECOND, (2, 10 * SECOND));
    let most = most_entries(&sketch, "held", 10);
    // Four windows of each key are open at the end of a minute, each an update and its place.
    assert!(
        most <= usize::try_from(KEYS * 4 * 2 + 1).unwrap(),
        "{most} entries"
    );
}

/// One transaction over a long stream: what has expired is not carried to the backend, so the
/// commit writes what is kept, and a tombstone for what the transaction itself had put before.
#[test]
fn what_expires_within_a_transaction_is_not_there_after_it() {
    let sketch = counted(tumbling(), Emit::OnWindowClose);
    let mut t = Driver::new("long", &sketch.description, 1, Closures::default()).unwrap();
    t.hold_commits();
    for second in 0..3600 {
        t.input("in")
            .at(second * SECOND)
            .queue(Some(b"key"), Some(b"v"));
    }
    t.run();
    t.commit();
    let kept = usize::try_from(2 * (30 * SECOND + 2 * SEGMENT) / (10 * SECOND) + 1).unwrap();
    let have = t.store("store").len();
    assert!(have <= kept, "{have} entries of at most {kept}");
    assert_eq!(
        t.output("out").len(),
        360 - 3,
        "all but the open windows were sent"
    );
}
