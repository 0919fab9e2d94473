//! Aggregates whose windows depend on each other's rows: sliding windows and sessions.
//!
//! Which windows a row touches depends on keys and times alone, so the steps of a whole batch are
//! planned before any value is known, and one call makes them. Only a null result (it deletes its
//! window) or a refused row makes the rest be planned anew.

use std::ops::Range;

use crate::functions::Rejection;
use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::{Inputs, Places};
use crate::pass::trouble::Trouble;
use crate::record::Batch;
use crate::topology::NodeId;
use crate::topology::description::{Aggregator, Window};

use super::Emitted;
use super::closed::send_closed;
use super::emitted::number;
use super::program::Program;

/// A row that was taken.
pub(super) struct Taken {
    pub(super) row: usize,
    /// By which it came.
    pub(super) input: u8,
    /// The operator's, with this row.
    pub(super) stream_time: i64,
}

/// How rows change windows of one kind.
pub(super) trait Windowing {
    /// The windows as they will be after what is planned.
    type Ahead: Default;
    /// What a row does to them.
    type Change;

    /// Plans the steps of a row, given with its number in the call; `None`: it is late.
    fn plan(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        row: (&Taken, usize),
        ahead: &mut Self::Ahead,
        program: &mut Program,
    ) -> Result<Option<Self::Change>, Trouble>;

    /// Puts and sends what a row, given by its number in the batch, has changed.
    fn apply(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        change: (usize, &Self::Change),
        states: &[Option<Vec<u8>>],
        emitted: &mut Emitted,
    ) -> Result<(), Trouble>;
}

/// The rows of a batch, for one operator.
pub(super) struct Work<'a> {
    pub(super) node: NodeId,
    pub(super) aggregator: Aggregator,
    /// Windows are sent when they close, not at each update.
    pub(super) on_close: Option<Window>,
    pub(super) rows: &'a Batch,
    pub(super) places: &'a Places,
    pub(super) taken: Vec<Taken>,
}

/// What an attempt has come to.
#[derive(Default)]
struct Round {
    /// The rows of the attempt.
    input: Batch,
    emitted: Emitted,
    /// By number in the attempt.
    rejected: Vec<Rejection>,
    late: usize,
}

/// A row's part of a plan.
struct Planned<C> {
    /// In `taken`.
    position: usize,
    steps: Range<usize>,
    /// `None`: it is late.
    change: Option<C>,
}

impl Work<'_> {
    /// Takes the rows that the operator does not skip: those with a key, and with a value if it
    /// needs one.
    pub(super) fn take(
        pass: &mut Pass<'_>,
        node: NodeId,
        rows: &Batch,
        inputs: &Inputs,
        skip_null_values: bool,
    ) -> Vec<Taken> {
        let mut taken = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            if rows.keys.is_null(row) {
                pass.drop_row(node, Reason::NullKey);
            } else if skip_null_values && rows.values.is_null(row) {
                pass.drop_row(node, Reason::NullValue);
            } else {
                let input = inputs.of(row);
                let state = &mut pass.states[node.0 as usize];
                let stream_time = state.observe(input, rows.timestamps[row]);
                taken.push(Taken {
                    row,
                    input,
                    stream_time,
                });
            }
        }
        taken
    }

    fn emitted(&self, pass: &Pass<'_>) -> Emitted {
        Emitted::changes(pass.topology.node(self.node).tells_old)
    }

    /// Aggregates the rows.
    pub(super) fn run<W: Windowing>(
        &self,
        pass: &mut Pass<'_>,
        windowing: &W,
    ) -> Result<Emitted, Error> {
        let mut emitted = self.emitted(pass);
        let place_of = |position: usize| self.places.row(self.taken[position].row);
        pass.halving(
            self.node,
            0..self.taken.len(),
            &place_of,
            &mut |pass, range| self.attempt(pass, windowing, range, &mut emitted),
        )?;
        Ok(emitted)
    }

    /// All rows of the range, or no change at all.
    fn attempt<W: Windowing>(
        &self,
        pass: &mut Pass<'_>,
        windowing: &W,
        range: Range<usize>,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let savepoint = pass.overlay.savepoint();
        let first = range.start;
        let rows: Vec<u32> = self.taken[range.clone()]
            .iter()
            .map(|taken| number(taken.row))
            .collect();
        let mut round = Round {
            input: self.rows.select(&rows),
            emitted: self.emitted(pass),
            ..Round::default()
        };
        let mut rest = range;
        let done = loop {
            match self.round(pass, windowing, (first, rest.clone()), &mut round) {
                Ok(next) if next < rest.end => rest.start = next,
                done => break done,
            }
        };
        if done.is_err() {
            pass.overlay.rollback_to(&savepoint);
        }
        pass.overlay.release(savepoint);
        done?;
        (0..round.late).for_each(|_| pass.drop_row(self.node, Reason::Late));
        let place_of = |position: usize| self.places.row(self.taken[position].row);
        pass.reject(self.node, &round.rejected, first, &place_of);
        emitted.join(round.emitted);
        Ok(())
    }

    /// Plans all of the range, calls, applies as far as the plan holds; answers with the position
    /// from which the rest must be planned anew.
    fn round<W: Windowing>(
        &self,
        pass: &mut Pass<'_>,
        windowing: &W,
        (first, range): (usize, Range<usize>),
        round: &mut Round,
    ) -> Result<usize, Trouble> {
        let mut program = Program::default();
        let planned = self.plan(pass, windowing, (first, range.clone()), &mut program)?;
        let call = (self.node, self.aggregator);
        let mut states = Vec::with_capacity(program.len());
        let mut refused = program.run(pass, call, &round.input, 0..program.len(), &mut states)?;
        for Planned {
            position,
            steps,
            change,
        } in planned
        {
            // A null has ended the answer: the row's other steps do not depend on it.
            while refused.is_none() && states.len() < steps.end {
                let rest = states.len()..steps.end;
                refused = program.run(pass, call, &round.input, rest, &mut states)?;
            }
            let complete = states.len() >= steps.end;
            let row = self.taken[position].row;
            match (&change, &mut refused) {
                (Some(change), _) if complete => {
                    windowing.apply(pass, self, (row, change), &states, &mut round.emitted)?;
                }
                (Some(_), refused) => round.rejected.push(Rejection {
                    row: number(position - first),
                    reason: refused.take().unwrap_or_default(),
                }),
                (None, _) => round.late += 1,
            }
            self.send_closed(pass, position, &mut round.emitted)?;
            if !complete || states[steps].iter().any(Option::is_none) {
                return Ok(position + 1);
            }
        }
        Ok(range.end)
    }

    /// Sends what has closed with a row, given by its position in `taken`.
    pub(super) fn send_closed(
        &self,
        pass: &mut Pass<'_>,
        position: usize,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let Taken {
            row, stream_time, ..
        } = self.taken[position];
        if let Some(window) = self.on_close {
            let at = (self.rows, row, self.places.row(row));
            send_closed(pass, (self.node, window), at, stream_time, emitted)?;
        }
        Ok(())
    }

    fn plan<W: Windowing>(
        &self,
        pass: &mut Pass<'_>,
        windowing: &W,
        (first, range): (usize, Range<usize>),
        program: &mut Program,
    ) -> Result<Vec<Planned<W::Change>>, Trouble> {
        let mut ahead = W::Ahead::default();
        let mut planned = Vec::with_capacity(range.len());
        for position in range {
            let begin = program.len();
            let row = (&self.taken[position], position - first);
            let change = windowing.plan(pass, self, row, &mut ahead, program)?;
            planned.push(Planned {
                position,
                steps: begin..program.len(),
                change,
            });
        }
        Ok(planned)
    }
}
