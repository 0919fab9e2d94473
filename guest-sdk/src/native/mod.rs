//! The service in the same process: the engine's port over the same closures that a component
//! exports.
//!
//! What a component's host does for it happens here, too: a panic is a trap, and the next call
//! finds a fresh service.

mod convert;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use weir_core::functions::{self as port, Failure, FunctionId, Functions, State, StateError};
use weir_core::record;
use weir_core::topology::description::Description;

use crate::bindings::weir::service::records::Column;
use crate::serdes::Topics;
use crate::service::Service;
use crate::state::Access;
use crate::topology::Topology;
use convert::{IntoEngine, ToWire};

/// A service and how to declare it anew.
pub(crate) struct Native {
    declare: Rc<dyn Fn(&mut Topology)>,
    config: Vec<(String, String)>,
    service: Service,
}

impl Native {
    /// Declares the service. Errors: all its mistakes.
    pub(crate) fn new(
        declare: Rc<dyn Fn(&mut Topology)>,
        config: Vec<(String, String)>,
    ) -> Result<(Native, Description), String> {
        let (service, description) = Service::declare(|t| declare(t), config.clone())?;
        let native = Native {
            declare,
            config,
            service,
        };
        Ok((native, description.into_engine()))
    }

    /// What the topics' rows are written in.
    pub(crate) fn serdes(&self) -> Topics {
        self.service.serdes.clone()
    }

    /// Calls the service; a panic is a trap, and throws the service away.
    fn call<R>(&mut self, call: impl FnOnce(&Service) -> R) -> Result<R, Failure> {
        let called = catch_unwind(AssertUnwindSafe(|| call(&self.service)));
        called.map_err(|panic| {
            let declared = Service::declare(|t| (self.declare)(t), self.config.clone());
            self.service = declared.expect("it was declared before").0;
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Failure::Trapped {
                reason: format!("panicked: {}", text.unwrap_or("without a message")),
                backtrace: String::new(),
            }
        })
    }

    /// The same with stores. A store that fails unwinds the closure; the failure is the store's.
    fn call_with<R>(
        &mut self,
        state: &mut dyn State,
        call: impl FnOnce(&Service, &mut Port<'_>) -> R,
    ) -> Result<R, Failure> {
        let mut port = Port {
            state,
            failed: None,
        };
        let called = self.call(|service| call(service, &mut port));
        match port.failed {
            None => called,
            Some(StateError::Backend(reason)) => Err(Failure::Host(reason)),
            Some(StateError::Misuse(reason)) => Err(Failure::Trapped {
                reason,
                backtrace: String::new(),
            }),
        }
    }
}

/// The engine's stores.
struct Port<'a> {
    state: &'a mut dyn State,
    failed: Option<StateError>,
}

impl Port<'_> {
    fn checked<T>(&mut self, result: Result<T, StateError>) -> T {
        result.unwrap_or_else(|error| {
            let message = error.to_string();
            self.failed = Some(error);
            panic!("{message}");
        })
    }
}

impl Access for Port<'_> {
    fn get_many(&mut self, store: u32, row: u32, keys: &Column) -> Column {
        let read = self.state.get_many(store, row, &keys.clone().into_engine());
        self.checked(read).to_wire()
    }

    fn put(&mut self, store: u32, row: u32, key: &[u8], value: Option<&[u8]>) {
        let put = self.state.put(store, row, key, value);
        self.checked(put);
    }

    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> (Column, Column) {
        let read = self.state.range(store, row, start, end, limit);
        let (keys, values) = self.checked(read);
        (keys.to_wire(), values.to_wire())
    }
}

impl Functions for Native {
    fn transform(
        &mut self,
        function: FunctionId,
        input: &record::Batch,
    ) -> Result<port::Output, Failure> {
        let input = input.to_wire();
        self.call(|service| service.transform(function.0, &input).into_engine())
    }

    fn combine(
        &mut self,
        function: FunctionId,
        keys: &record::Column,
        left: &record::Column,
        right: &record::Column,
    ) -> Result<port::Combined, Failure> {
        let (keys, left, right) = (keys.to_wire(), left.to_wire(), right.to_wire());
        self.call(|service| {
            service
                .combine(function.0, &keys, &left, &right)
                .into_engine()
        })
    }

    fn fold(
        &mut self,
        function: FunctionId,
        input: &record::Batch,
        steps: &port::Steps,
        states: &record::Column,
    ) -> Result<port::Folded, Failure> {
        let (input, steps, states) = (input.to_wire(), steps.to_wire(), states.to_wire());
        self.call(|service| {
            service
                .fold(function.0, &input, &steps, &states)
                .into_engine()
        })
    }

    fn update(
        &mut self,
        function: FunctionId,
        input: &record::Batch,
        groups: &[u32],
        states: &record::Column,
    ) -> Result<port::Updated, Failure> {
        let (input, states) = (input.to_wire(), states.to_wire());
        self.call(|service| {
            service
                .update(function.0, &input, groups, &states)
                .into_engine()
        })
    }

    fn process(
        &mut self,
        function: FunctionId,
        input: &record::Batch,
        stream_times: &[i64],
        state: &mut dyn State,
    ) -> Result<port::Output, Failure> {
        let input = input.to_wire();
        self.call_with(state, |service, port| {
            service
                .process(function.0, &input, stream_times, port)
                .into_engine()
        })
    }

    fn punctuate(
        &mut self,
        function: FunctionId,
        schedule: u32,
        at: i64,
        state: &mut dyn State,
    ) -> Result<port::Output, Failure> {
        self.call_with(state, |service, port| {
            service
                .punctuate(function.0, schedule, at, port)
                .into_engine()
        })
    }

    fn locate(
        &mut self,
        function: FunctionId,
        request: &port::Request,
    ) -> Result<Result<Vec<u8>, port::Response>, Failure> {
        let request = request.to_wire();
        self.call(|service| {
            let located = service.locate(function.0, &request);
            located.map_err(IntoEngine::into_engine)
        })
    }

    fn handle(
        &mut self,
        function: FunctionId,
        requests: &[port::Request],
        state: &mut dyn State,
    ) -> Result<Vec<port::Outcome>, Failure> {
        let requests: Vec<_> = requests.iter().map(ToWire::to_wire).collect();
        self.call_with(state, |service, port| {
            let outcomes = service.handle(function.0, &requests, port);
            outcomes.into_iter().map(IntoEngine::into_engine).collect()
        })
    }

    fn answer(
        &mut self,
        function: FunctionId,
        request: &port::Request,
        state: &mut dyn State,
    ) -> Result<Option<port::Response>, Failure> {
        let request = request.to_wire();
        self.call_with(state, |service, port| {
            service
                .answer(function.0, &request, port)
                .map(IntoEngine::into_engine)
        })
    }
}
