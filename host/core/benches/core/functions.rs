//! The functions of a service that does next to nothing, so that what is measured is the engine.

use weir_core::functions::{
    Combined, Failure, Folded, FunctionId, Functions, Outcome, Output, Request, Response, State,
    Steps, Updated,
};
use weir_core::record::{Batch, Column};

/// Rows as they are; of joined values the left one; of aggregates the latest value.
pub(crate) struct Trivial;

impl Functions for Trivial {
    fn transform(&mut self, _: FunctionId, input: &Batch) -> Result<Output, Failure> {
        Ok(Output {
            rows: input.clone(),
            origins: (0..).take(input.len()).collect(),
            ..Output::default()
        })
    }

    fn combine(
        &mut self,
        _: FunctionId,
        _: &Column,
        left: &Column,
        _: &Column,
    ) -> Result<Combined, Failure> {
        Ok(Combined {
            values: left.clone(),
            rejected: Vec::new(),
        })
    }

    fn fold(
        &mut self,
        _: FunctionId,
        input: &Batch,
        steps: &Steps,
        _: &Column,
    ) -> Result<Folded, Failure> {
        Ok(Folded {
            states: input.values.select(&steps.rows),
            rejected: None,
        })
    }

    fn update(
        &mut self,
        _: FunctionId,
        _: &Batch,
        _: &[u32],
        _: &Column,
    ) -> Result<Updated, Failure> {
        unused()
    }

    fn process(
        &mut self,
        _: FunctionId,
        _: &Batch,
        _: &[i64],
        _: &mut dyn State,
    ) -> Result<Output, Failure> {
        unused()
    }

    fn punctuate(
        &mut self,
        _: FunctionId,
        _: u32,
        _: i64,
        _: &mut dyn State,
    ) -> Result<Output, Failure> {
        unused()
    }

    fn locate(&mut self, _: FunctionId, _: &Request) -> Result<Result<Vec<u8>, Response>, Failure> {
        unused()
    }

    fn handle(
        &mut self,
        _: FunctionId,
        _: &[Request],
        _: &mut dyn State,
    ) -> Result<Vec<Outcome>, Failure> {
        unused()
    }

    fn answer(
        &mut self,
        _: FunctionId,
        _: &Request,
        _: &mut dyn State,
    ) -> Result<Option<Response>, Failure> {
        unused()
    }
}

fn unused<T>() -> Result<T, Failure> {
    Err(Failure::Host("no benchmark calls it".to_owned()))
}
