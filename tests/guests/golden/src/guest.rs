//! The exports: each call goes to the closures of the case.
#![expect(
    unsafe_code,
    clippy::too_many_arguments,
    reason = "the exports that wit-bindgen generates"
)]

use std::cell::RefCell;

use bindings::weir::service::host::{Level, log};
use bindings::weir::service::state;
use bindings::{
    Batch, Column, Combined, Description, Folded, Guest, Outcome, Output, Request, Response, Steps,
    Updated, export,
};
use weir_core::functions::{Failure, FunctionId, Functions, State, StateError};
use weir_core::record;
use weir_core::testing::Closures;

use crate::describe;
use crate::records::{batch_in, column_in, column_out, combined, folded, output, steps_in};

pub(crate) mod bindings {
    wit_bindgen::generate!({ world: "service", path: "../../../wit" });
}

thread_local! {
    static CLOSURES: RefCell<Closures> = RefCell::default();
}

struct Golden;

export!(Golden with_types_in bindings);

/// Runs a function of the case. A closure does not fail but by a mistake of the case, and then the
/// guest traps.
fn call<R>(run: impl FnOnce(&mut Closures) -> Result<R, Failure>) -> R {
    CLOSURES.with_borrow_mut(|closures| run(closures).unwrap_or_else(|failure| panic!("{failure}")))
}

impl Guest for Golden {
    fn describe(config: Vec<(String, String)>) -> Result<Description, String> {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
        let case = config.iter().find(|(key, _)| key == "case");
        let (_, case) = case.ok_or("`case` is the declaration of a golden case")?;
        let (description, closures) = weir_golden::topology::build(case)?;
        CLOSURES.set(closures);
        Ok(describe::description(description))
    }

    fn transform(function: u32, input: Batch) -> Output {
        let input = batch_in(input);
        output(call(|it| it.transform(FunctionId(function), &input)))
    }

    fn combine(function: u32, keys: Column, left: Column, right: Column) -> Combined {
        let [keys, left, right] = [keys, left, right].map(column_in);
        combined(call(|it| {
            it.combine(FunctionId(function), &keys, &left, &right)
        }))
    }

    fn fold(function: u32, input: Batch, steps: Steps, states: Column) -> Folded {
        let (input, steps, states) = (batch_in(input), steps_in(steps), column_in(states));
        folded(call(|it| {
            it.fold(FunctionId(function), &input, &steps, &states)
        }))
    }

    fn update(_: u32, _: Batch, _: Vec<u32>, _: Column) -> Updated {
        unreachable!("no case has a keyed update")
    }

    fn process(function: u32, input: Batch, stream_times: Vec<i64>) -> Output {
        let input = batch_in(input);
        output(call(|it| {
            it.process(FunctionId(function), &input, &stream_times, &mut Imported)
        }))
    }

    fn punctuate(function: u32, schedule: u32, at: i64) -> Output {
        output(call(|it| {
            it.punctuate(FunctionId(function), schedule, at, &mut Imported)
        }))
    }

    fn locate(_: u32, _: Request) -> Result<Vec<u8>, Response> {
        unreachable!("no case has a route")
    }

    fn handle(_: u32, _: Vec<Request>) -> Vec<Outcome> {
        unreachable!("no case has a route")
    }

    fn answer(_: u32, _: Request) -> Option<Response> {
        unreachable!("no case has a route")
    }
}

/// The stores behind the imports.
struct Imported;

impl State for Imported {
    fn get_many(
        &mut self,
        store: u32,
        row: u32,
        keys: &record::Column,
    ) -> Result<record::Column, StateError> {
        Ok(column_in(state::get_many(
            store,
            row,
            &column_out(keys.clone()),
        )))
    }

    fn put(
        &mut self,
        store: u32,
        row: u32,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StateError> {
        state::put(store, row, key, value);
        Ok(())
    }

    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> Result<(record::Column, record::Column), StateError> {
        let found = state::range(store, row, start, end, limit);
        Ok((column_in(found.keys), column_in(found.values)))
    }
}
