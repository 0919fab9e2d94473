//! A service of closures: the functions of a test, by number, with no guest.

use std::collections::HashMap;

use crate::functions::{
    Combined, Failure, Folded, FunctionId, Functions, Outcome, Output, Rejection, Request,
    Response, State, Step, Steps, Updated,
};
use crate::record::{Batch, Column};

/// A row as a closure sees it.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    /// `None`: no key.
    pub key: Option<&'a [u8]>,
    /// `None`: a tombstone.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Of an aggregate: by which of its inputs it came.
    pub input: u32,
}

/// What a closure makes of a row: key, value and port of each row out, or why it refuses it.
pub type Made = Result<Vec<(Option<Vec<u8>>, Option<Vec<u8>>, u8)>, String>;
/// A value, or why the row is refused.
pub type Value = Result<Option<Vec<u8>>, String>;

type Transform = Box<dyn FnMut(RowView<'_>) -> Made>;
type Combine = Box<dyn FnMut(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>) -> Value>;
type Fold = Box<dyn FnMut(Step, Option<&[u8]>, Option<&[u8]>, RowView<'_>) -> Value>;
type Update = Box<dyn FnMut(&mut Option<Vec<u8>>, RowView<'_>) -> Made>;
type Process = Box<dyn FnMut(u32, i64, RowView<'_>, &mut dyn State) -> Result<Made, Failure>>;
type Punctuate = Box<dyn FnMut(u32, i64, &mut dyn State) -> Result<Batch, Failure>>;
type Locate = Box<dyn FnMut(&Request) -> Result<Vec<u8>, Response>>;
type Handle = Box<dyn FnMut(u32, &Request, &mut dyn State) -> Result<Outcome, Failure>>;
type Answer = Box<dyn FnMut(&Request, &mut dyn State) -> Result<Option<Response>, Failure>>;

/// Closures by number.
#[derive(Default)]
pub struct Closures {
    transforms: HashMap<u32, Transform>,
    combines: HashMap<u32, Combine>,
    folds: HashMap<u32, Fold>,
    updates: HashMap<u32, Update>,
    processes: HashMap<u32, Process>,
    punctuations: HashMap<u32, Punctuate>,
    locates: HashMap<u32, Locate>,
    handles: HashMap<u32, Handle>,
    answers: HashMap<u32, Answer>,
}

impl Closures {
    /// Rows out of a row in. A refusal that begins with `trap:` is a trap of the whole call.
    pub fn transform(mut self, id: u32, f: impl FnMut(RowView<'_>) -> Made + 'static) -> Self {
        self.transforms.insert(id, Box::new(f));
        self
    }

    /// A joiner of key, left and right.
    pub fn combine(
        mut self,
        id: u32,
        f: impl FnMut(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>) -> Value + 'static,
    ) -> Self {
        self.combines.insert(id, Box::new(f));
        self
    }

    /// An aggregator of step, left state, right state (of a merge) and row.
    pub fn fold(
        mut self,
        id: u32,
        f: impl FnMut(Step, Option<&[u8]>, Option<&[u8]>, RowView<'_>) -> Value + 'static,
    ) -> Self {
        self.folds.insert(id, Box::new(f));
        self
    }

    /// A keyed processor of state and row.
    pub fn update(
        mut self,
        id: u32,
        f: impl FnMut(&mut Option<Vec<u8>>, RowView<'_>) -> Made + 'static,
    ) -> Self {
        self.updates.insert(id, Box::new(f));
        self
    }

    /// A free processor of row number, stream time, row and stores.
    pub fn process(
        mut self,
        id: u32,
        f: impl FnMut(u32, i64, RowView<'_>, &mut dyn State) -> Result<Made, Failure> + 'static,
    ) -> Self {
        self.processes.insert(id, Box::new(f));
        self
    }

    /// A free processor's schedules: number, time and stores.
    pub fn punctuate(
        mut self,
        id: u32,
        f: impl FnMut(u32, i64, &mut dyn State) -> Result<Batch, Failure> + 'static,
    ) -> Self {
        self.punctuations.insert(id, Box::new(f));
        self
    }

    /// The key of a request.
    pub fn locate(
        mut self,
        id: u32,
        f: impl FnMut(&Request) -> Result<Vec<u8>, Response> + 'static,
    ) -> Self {
        self.locates.insert(id, Box::new(f));
        self
    }

    /// A command of request number, request and stores.
    pub fn handle(
        mut self,
        id: u32,
        f: impl FnMut(u32, &Request, &mut dyn State) -> Result<Outcome, Failure> + 'static,
    ) -> Self {
        self.handles.insert(id, Box::new(f));
        self
    }

    /// A query.
    pub fn answer(
        mut self,
        id: u32,
        f: impl FnMut(&Request, &mut dyn State) -> Result<Option<Response>, Failure> + 'static,
    ) -> Self {
        self.answers.insert(id, Box::new(f));
        self
    }
}

fn find<T>(all: &mut HashMap<u32, T>, id: FunctionId) -> Result<&mut T, Failure> {
    all.get_mut(&id.0)
        .ok_or_else(|| Failure::Host(format!("no closure has number {} of this kind", id.0)))
}

fn view(rows: &Batch, row: usize) -> RowView<'_> {
    RowView {
        key: rows.keys.get(row),
        value: rows.values.get(row),
        timestamp: rows.timestamps[row],
        input: 0,
    }
}

fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("a test has few rows")
}

fn trap(reason: &str) -> Failure {
    Failure::Trapped {
        reason: reason.to_owned(),
        backtrace: "here".to_owned(),
    }
}

fn refuse(row: usize, reason: String) -> Result<Rejection, Failure> {
    match reason.strip_prefix("trap:") {
        Some(reason) => Err(trap(reason)),
        None => Ok(Rejection {
            row: row_number(row),
            reason,
        }),
    }
}

fn add(output: &mut Output, rows: &Batch, row: usize, made: Made) -> Result<(), Failure> {
    match made {
        Err(reason) => output.rejected.push(refuse(row, reason)?),
        Ok(made) => {
            for (key, value, port) in made {
                output
                    .rows
                    .push(key.as_deref(), value.as_deref(), rows.timestamps[row]);
                output.origins.push(row_number(row));
                output.ports.push(port);
            }
        }
    }
    Ok(())
}

impl Functions for Closures {
    fn transform(&mut self, function: FunctionId, input: &Batch) -> Result<Output, Failure> {
        let f = find(&mut self.transforms, function)?;
        let mut output = Output::default();
        for row in 0..input.len() {
            add(&mut output, input, row, f(view(input, row)))?;
        }
        Ok(output)
    }

    fn combine(
        &mut self,
        function: FunctionId,
        keys: &Column,
        left: &Column,
        right: &Column,
    ) -> Result<Combined, Failure> {
        let f = find(&mut self.combines, function)?;
        let mut combined = Combined::default();
        for row in 0..keys.len() {
            match f(keys.get(row), left.get(row), right.get(row)) {
                Ok(value) => combined.values.push(value.as_deref()),
                Err(reason) => {
                    combined.rejected.push(refuse(row, reason)?);
                    combined.values.push(None);
                }
            }
        }
        Ok(combined)
    }

    fn fold(
        &mut self,
        function: FunctionId,
        input: &Batch,
        steps: &Steps,
        states: &Column,
    ) -> Result<Folded, Failure> {
        let f = find(&mut self.folds, function)?;
        let mut folded = Folded::default();
        for step in 0..steps.kinds.len() {
            let row = steps.rows[step] as usize;
            let state = |number: u32, made: &Column| -> Option<Vec<u8>> {
                let number = number as usize;
                let found = if number < states.len() {
                    states.get(number)
                } else {
                    made.get(number - states.len())
                };
                found.map(<[u8]>::to_vec)
            };
            let left = (steps.left[step] != Steps::NO_STATE)
                .then(|| state(steps.left[step], &folded.states))
                .flatten();
            let right = (steps.kinds[step] == Step::Merge)
                .then(|| state(steps.right[step], &folded.states))
                .flatten();
            let mut row = view(input, row);
            if steps.kinds[step] == Step::Add {
                row.input = steps.right[step];
            }
            match f(steps.kinds[step], left.as_deref(), right.as_deref(), row) {
                Ok(value) => folded.states.push(value.as_deref()),
                Err(reason) => {
                    folded.rejected = Some(refuse(steps.rows[step] as usize, reason)?);
                    break;
                }
            }
            if folded.states.is_null(step) {
                break;
            }
        }
        Ok(folded)
    }

    fn update(
        &mut self,
        function: FunctionId,
        input: &Batch,
        groups: &[u32],
        states: &Column,
    ) -> Result<Updated, Failure> {
        let f = find(&mut self.updates, function)?;
        let mut current: Vec<Option<Vec<u8>>> = states
            .iter()
            .map(|state| state.map(<[u8]>::to_vec))
            .collect();
        let mut output = Output::default();
        for (row, &group) in groups.iter().enumerate() {
            add(
                &mut output,
                input,
                row,
                f(&mut current[group as usize], view(input, row)),
            )?;
        }
        Ok(Updated {
            output,
            states: current.iter().map(Option::as_deref).collect(),
        })
    }

    fn process(
        &mut self,
        function: FunctionId,
        input: &Batch,
        stream_times: &[i64],
        state: &mut dyn State,
    ) -> Result<Output, Failure> {
        let f = find(&mut self.processes, function)?;
        let mut output = Output::default();
        for (row, &stream_time) in stream_times.iter().enumerate() {
            let made = f(row_number(row), stream_time, view(input, row), state)?;
            add(&mut output, input, row, made)?;
        }
        Ok(output)
    }

    fn punctuate(
        &mut self,
        function: FunctionId,
        schedule: u32,
        at: i64,
        state: &mut dyn State,
    ) -> Result<Output, Failure> {
        let rows = find(&mut self.punctuations, function)?(schedule, at, state)?;
        let origins = vec![0; rows.len()];
        Ok(Output {
            rows,
            origins,
            ..Output::default()
        })
    }

    fn locate(
        &mut self,
        function: FunctionId,
        request: &Request,
    ) -> Result<Result<Vec<u8>, Response>, Failure> {
        Ok(find(&mut self.locates, function)?(request))
    }

    fn handle(
        &mut self,
        function: FunctionId,
        requests: &[Request],
        state: &mut dyn State,
    ) -> Result<Vec<Outcome>, Failure> {
        let f = find(&mut self.handles, function)?;
        requests
            .iter()
            .enumerate()
            .map(|(row, request)| f(row_number(row), request, state))
            .collect()
    }

    fn answer(
        &mut self,
        function: FunctionId,
        request: &Request,
        state: &mut dyn State,
    ) -> Result<Option<Response>, Failure> {
        find(&mut self.answers, function)?(request, state)
    }
}
