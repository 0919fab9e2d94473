//! The component: the world's exports over a declared service, and its imports as the port to the
//! stores.
//!
//! An instance has one thread and one service; it is declared by the first call and thrown away
//! with the instance.

use std::cell::OnceCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::bindings::weir::service::records::{Batch, Column, Combined, Folded, Output};
use crate::bindings::weir::service::records::{Steps, Updated};
use crate::bindings::weir::service::state;
use crate::bindings::weir::service::topology::Description;
use crate::bindings::{Guest, Outcome, Request, Response};
pub use crate::service::Declare;
use crate::service::Service;
use crate::state::Access;

/// The component of a service.
pub struct Component<S>(PhantomData<S>);

thread_local! {
    static SERVICE: OnceCell<Rc<Service>> = const { OnceCell::new() };
}

fn service() -> Rc<Service> {
    SERVICE.with(|service| Rc::clone(service.get().expect("the host calls `describe` first")))
}

/// The stores behind the imports.
struct Imported;

impl Access for Imported {
    fn get_many(&mut self, store: u32, row: u32, keys: &Column) -> Column {
        state::get_many(store, row, keys)
    }

    fn put(&mut self, store: u32, row: u32, key: &[u8], value: Option<&[u8]>) {
        state::put(store, row, key, value);
    }

    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> (Column, Column) {
        let entries = state::range(store, row, start, end, limit);
        (entries.keys, entries.values)
    }
}

impl<S: Declare> Guest for Component<S> {
    fn describe(config: Vec<(String, String)>) -> Result<Description, String> {
        std::panic::set_hook(Box::new(|panic| crate::log::error(panic.to_string())));
        let (service, description) = Service::declare(S::declare, config)?;
        SERVICE.with(|cell| {
            let first = cell.set(Rc::new(service)).is_ok();
            assert!(first, "`describe` is called once in each instance");
        });
        Ok(description)
    }

    fn transform(function: u32, input: Batch) -> Output {
        service().transform(function, &input)
    }

    fn combine(function: u32, keys: Column, left: Column, right: Column) -> Combined {
        service().combine(function, &keys, &left, &right)
    }

    fn fold(function: u32, input: Batch, steps: Steps, states: Column) -> Folded {
        service().fold(function, &input, &steps, &states)
    }

    fn update(function: u32, input: Batch, groups: Vec<u32>, states: Column) -> Updated {
        service().update(function, &input, &groups, &states)
    }

    fn process(function: u32, input: Batch, stream_times: Vec<i64>) -> Output {
        service().process(function, &input, &stream_times, &mut Imported)
    }

    fn punctuate(function: u32, schedule: u32, at: i64) -> Output {
        service().punctuate(function, schedule, at, &mut Imported)
    }

    fn locate(function: u32, request: Request) -> Result<Vec<u8>, Response> {
        service().locate(function, &request)
    }

    fn handle(function: u32, requests: Vec<Request>) -> Vec<Outcome> {
        service().handle(function, &requests, &mut Imported)
    }

    fn answer(function: u32, request: Request) -> Option<Response> {
        service().answer(function, &request, &mut Imported)
    }
}
