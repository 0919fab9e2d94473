//! Programs: the steps of a fold, planned for many rows before any value is known.
//!
//! Until a program has run, a state is known by the step that makes it. An answer ends where a step
//! made null or refused its row; the program can then go on with the steps after it, to which a
//! null state is no state at all.

use std::ops::Range;

use crate::functions::{Step, Steps};
use crate::pass::Pass;
use crate::pass::trouble::Trouble;
use crate::record::{Batch, Column};
use crate::topology::NodeId;
use crate::topology::description::Aggregator;

use super::emitted::number;
use super::fold::{check_folded, count_up};

/// What is known of a state while a program is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Value(Vec<u8>),
    /// It will be made by the step of this number.
    Step(usize),
}

impl Known {
    /// The state, once the program has come so far; `None`: null.
    pub(super) fn value<'k>(&'k self, states: &'k [Option<Vec<u8>>]) -> Option<&'k [u8]> {
        match self {
            Known::Value(value) => Some(value),
            Known::Step(step) => states[*step].as_deref(),
        }
    }
}

/// Steps to be made one after the other.
#[derive(Default)]
pub(super) struct Program {
    steps: Vec<Planned>,
}

struct Planned {
    kind: Step,
    /// `None`: it starts from the initial state.
    left: Option<Known>,
    /// The later state of a merge.
    right: Option<Known>,
    row: usize,
    input: u8,
}

impl Program {
    /// Number of steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Adds the call's row `row`, which came by `input`, to a state.
    pub(super) fn add(&mut self, left: Option<Known>, (row, input): (usize, u8)) -> Known {
        self.plan(Planned {
            kind: Step::Add,
            left,
            right: None,
            row,
            input,
        })
    }

    /// Merges a later state into one, on behalf of a row.
    pub(super) fn merge(&mut self, left: Option<Known>, later: Known, row: usize) -> Known {
        self.plan(Planned {
            kind: Step::Merge,
            left,
            right: Some(later),
            row,
            input: 0,
        })
    }

    fn plan(&mut self, step: Planned) -> Known {
        self.steps.push(step);
        Known::Step(self.len() - 1)
    }

    /// Makes the states of `range`, which begins where `states` end, and appends them, as far as it
    /// comes. One call. Answers with the reason why the row of the next step was refused, if it
    /// was.
    pub(super) fn run(
        &self,
        pass: &mut Pass<'_>,
        (node, aggregator): (NodeId, Aggregator),
        input: &Batch,
        range: Range<usize>,
        states: &mut Vec<Option<Vec<u8>>>,
    ) -> Result<Option<String>, Trouble> {
        if range.is_empty() {
            return Ok(None);
        }
        let (steps, handed) = self.steps(range, states);
        match aggregator {
            Aggregator::Count => {
                states.extend(count(&steps, &handed)?);
                Ok(None)
            }
            Aggregator::Function(function) => {
                let folded = pass.functions.fold(function, input, &steps, &handed);
                let folded = folded.map_err(|failure| pass.trouble(node, failure))?;
                check_folded(&folded.states, folded.rejected.as_ref(), &steps)?;
                states.extend(folded.states.iter().map(|state| state.map(<[u8]>::to_vec)));
                Ok(folded.rejected.map(|rejection| rejection.reason))
            }
        }
    }

    /// The steps of a range as they cross the border, and the states that they begin with.
    fn steps(&self, range: Range<usize>, made: &[Option<Vec<u8>>]) -> (Steps, Column) {
        let first = range.start;
        let planned = &self.steps[range];
        let mut handed = Column::default();
        // Those made on the way are numbered behind all that are handed in.
        let hand = |state: &Option<Known>, handed: &mut Column| {
            let value = match state {
                Some(Known::Step(step)) if *step >= first => return Err(step - first),
                Some(Known::Step(step)) => made[*step].as_deref(),
                Some(Known::Value(value)) => Some(value.as_slice()),
                None => None,
            };
            Ok(value.map_or(Steps::NO_STATE, |value| {
                handed.push(Some(value));
                number(handed.len() - 1)
            }))
        };
        let operands: Vec<_> = planned
            .iter()
            .map(|step| {
                (
                    hand(&step.left, &mut handed),
                    hand(&step.right, &mut handed),
                )
            })
            .collect();
        let place = |operand: Result<u32, usize>| {
            operand.unwrap_or_else(|step| number(handed.len() + step))
        };
        let mut steps = Steps::default();
        for (step, (left, right)) in planned.iter().zip(operands) {
            steps.kinds.push(step.kind);
            steps.left.push(place(left));
            steps.right.push(match step.kind {
                Step::Merge => place(right),
                Step::Add | Step::Subtract => u32::from(step.input),
            });
            steps.rows.push(number(step.row));
        }
        (steps, handed)
    }
}

/// The steps as counts: an added row is one, a merge is a sum.
fn count(steps: &Steps, handed: &Column) -> Result<Vec<Option<Vec<u8>>>, Trouble> {
    let mut states = Vec::with_capacity(handed.len() + steps.kinds.len());
    for value in handed.iter() {
        states.push(count_up(value, 0)?);
    }
    for (step, kind) in steps.kinds.iter().enumerate() {
        let left = match steps.left[step] {
            Steps::NO_STATE => 0,
            left => states[left as usize],
        };
        let by = match kind {
            Step::Merge => states[steps.right[step] as usize],
            Step::Add => 1,
            Step::Subtract => -1,
        };
        states.push(left.wrapping_add(by));
    }
    let made = states.drain(..).skip(handed.len());
    Ok(made
        .map(|count| Some(count.to_be_bytes().to_vec()))
        .collect())
}
