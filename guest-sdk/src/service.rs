//! A service that has been declared: its description, and its functions to be called by number.

use crate::bindings::weir::service::http::{Outcome, Request, Response};
use crate::bindings::weir::service::records::{
    Batch, Column, Combined, Folded, Output, Steps, Updated,
};
use crate::bindings::weir::service::topology::Description;
use crate::function::Function;
use crate::state::Access;
use crate::topology::Topology;

/// What `#[weir::service]` makes a component of.
#[cfg(target_arch = "wasm32")]
pub trait Declare: 'static {
    /// Declares the service.
    fn declare(t: &mut Topology);
}

/// The functions of a declared service. A number that is none, or of another kind, is the host's
/// mistake: it panics.
pub(crate) struct Service {
    functions: Vec<Function>,
    /// What the topics' rows are written in.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) serdes: crate::serdes::Topics,
}

macro_rules! call {
    ($self:ident, $number:ident, $kind:ident($($argument:expr),*)) => {
        match &$self.functions[$number as usize] {
            Function::$kind(function) => function($($argument),*),
            _ => panic!("function {} is no {}", $number, stringify!($kind)),
        }
    };
}

impl Service {
    /// Declares a service under a configuration.
    pub(crate) fn declare(
        declare: impl FnOnce(&mut Topology),
        config: Vec<(String, String)>,
    ) -> Result<(Service, Description), String> {
        let mut topology = Topology::new(config);
        declare(&mut topology);
        let graph = topology.finish()?;
        let service = Service {
            functions: graph.functions,
            #[cfg(not(target_arch = "wasm32"))]
            serdes: graph.serdes,
        };
        Ok((service, graph.description))
    }

    pub(crate) fn transform(&self, function: u32, input: &Batch) -> Output {
        call!(self, function, Transform(input))
    }

    pub(crate) fn combine(
        &self,
        function: u32,
        keys: &Column,
        left: &Column,
        right: &Column,
    ) -> Combined {
        call!(self, function, Combine(keys, left, right))
    }

    pub(crate) fn fold(
        &self,
        function: u32,
        input: &Batch,
        steps: &Steps,
        states: &Column,
    ) -> Folded {
        call!(self, function, Fold(input, steps, states))
    }

    pub(crate) fn update(
        &self,
        function: u32,
        input: &Batch,
        groups: &[u32],
        states: &Column,
    ) -> Updated {
        call!(self, function, Update(input, groups, states))
    }

    pub(crate) fn process(
        &self,
        function: u32,
        input: &Batch,
        stream_times: &[i64],
        access: &mut dyn Access,
    ) -> Output {
        match &self.functions[function as usize] {
            Function::Process { rows, .. } => rows(input, stream_times, access),
            _ => panic!("function {function} is no processor"),
        }
    }

    pub(crate) fn punctuate(
        &self,
        function: u32,
        schedule: u32,
        at: i64,
        access: &mut dyn Access,
    ) -> Output {
        match &self.functions[function as usize] {
            Function::Process { schedules, .. } => schedules[schedule as usize](at, access),
            _ => panic!("function {function} is no processor"),
        }
    }

    pub(crate) fn locate(&self, function: u32, request: &Request) -> Result<Vec<u8>, Response> {
        call!(self, function, Locate(request))
    }

    pub(crate) fn handle(
        &self,
        function: u32,
        requests: &[Request],
        access: &mut dyn Access,
    ) -> Vec<Outcome> {
        call!(self, function, Handle(requests, access))
    }

    pub(crate) fn answer(
        &self,
        function: u32,
        request: &Request,
        access: &mut dyn Access,
    ) -> Option<Response> {
        call!(self, function, Answer(request, access))
    }
}
