//! Misdeeds: whatever a guest does wrong is a failure with a reason, and the next call is served.

use std::time::{Duration, Instant};

use weir_core::functions::{Failure, FunctionId, Functions};
use weir_host::wasm::{Instance, Limits};

use crate::guest::{CALLS, ECHO, Shelf, column, instance, instance_under, rows, trapped};

/// Does the misdeed among good rows; the reason that is given. The next call must find a fresh
/// instance.
fn reason(guest: &mut Instance, misdeed: &str) -> String {
    let (reason, _) = trapped(guest.transform(ECHO, &rows(&["good", misdeed, "good"])));
    let next = guest.transform(CALLS, &rows(&["good"])).unwrap();
    assert_eq!(next.rows.values, column(&[Some("1")]), "a fresh instance");
    reason
}

#[test]
fn a_panic_is_a_failure_with_its_message_and_a_backtrace() {
    let result = instance().transform(ECHO, &rows(&["good", "trap"]));
    let (reason, backtrace) = trapped(result);
    assert!(reason.contains("row 1 is a trap"), "{reason}");
    assert!(backtrace.contains("wasm backtrace"), "{backtrace}");
    assert_eq!(reason_of_instance("trap").matches("row 1").count(), 1);
}

fn reason_of_instance(misdeed: &str) -> String {
    reason(&mut instance(), misdeed)
}

#[test]
fn an_endless_loop_ends_at_the_limit_of_time() {
    let limits = Limits {
        call_time: Duration::from_millis(100),
        ..Limits::default()
    };
    let begun = Instant::now();
    let reason = reason(&mut instance_under(&limits), "loop");
    assert_eq!(reason, "out of time (limit 100ms a call)");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn memory_ends_at_its_limit() {
    let limits = Limits {
        memory_bytes: 16 << 20,
        ..Limits::default()
    };
    let reason = reason(&mut instance_under(&limits), "grow");
    assert_eq!(reason, "out of memory (limit 16.0 MiB)");
}

#[test]
fn fuel_ends_where_it_is_metered() {
    let limits = Limits {
        fuel: Some(10_000_000),
        ..Limits::default()
    };
    let reason = reason(&mut instance_under(&limits), "loop");
    assert_eq!(reason, "out of fuel (limit 10000000 a call)");
}

#[test]
fn recursion_ends_at_the_end_of_the_stack() {
    // Rust keeps large frames in memory of its own, and so may run out of that first.
    let reason = reason_of_instance("recurse");
    assert!(reason.contains("endless recursion"), "{reason}");
}

#[test]
fn an_answer_cannot_fill_the_hosts_memory() {
    let limits = Limits {
        transfer_bytes: 1 << 20,
        ..Limits::default()
    };
    let reason = reason(&mut instance_under(&limits), "huge");
    assert_eq!(
        reason,
        "more data than a call may hand over (limit 1.0 MiB)"
    );
}

#[test]
fn a_malformed_answer_is_a_failure_that_says_what_does_not_fit() {
    for (misdeed, part) in [
        ("lengths", "the sum of lengths"),
        ("origins", "an origin"),
        ("timestamps", "keys"),
    ] {
        let reason = reason_of_instance(misdeed);
        assert!(
            reason.starts_with(&format!("malformed batch: {part}")),
            "{reason}"
        );
    }
}

#[test]
fn a_refused_row_is_no_failure() {
    let output = instance()
        .transform(ECHO, &rows(&["good", "reject"]))
        .unwrap();
    assert_eq!(output.rejected.len(), 1);
    assert_eq!(
        (output.rejected[0].row, output.rejected[0].reason.as_str()),
        (1, "it asks for it")
    );
}

#[test]
fn state_is_only_there_in_calls_that_have_stores() {
    let reason = reason_of_instance("state");
    assert_eq!(
        reason,
        "`state` is called outside of process, punctuate, handle and answer"
    );
}

#[test]
fn a_store_that_was_not_declared_traps_and_is_forgotten() {
    let (mut guest, mut shelf) = (instance(), Shelf::default());
    let (reason, _) = trapped(guest.process(FunctionId(1), &rows(&["a"]), &[0], &mut shelf));
    assert_eq!(reason, "store 7 was not declared");
    let reason = trapped(guest.transform(ECHO, &rows(&["state"]))).0;
    assert!(reason.starts_with("`state` is called outside"), "{reason}");
}

#[test]
fn a_broken_store_is_not_the_rows_fault() {
    let (mut guest, mut shelf) = (instance(), Shelf::default());
    shelf.broken = true;
    let failure = guest
        .process(ECHO, &rows(&["a"]), &[0], &mut shelf)
        .unwrap_err();
    assert_eq!(failure, Failure::Host("the disk is full".to_owned()));
}
