//! Sessions: windows that end a gap after their last row, and merge when a row closes the gap
//! between them.
//!
//! Which sessions a row touches depends on keys and times alone, so the steps of a whole batch are
//! planned before any value is known: a session made in this batch is known by the step that makes
//! it. Only a null result makes the rest be planned anew.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::codec::session_key;
use crate::functions::{Rejection, Step, Steps};
use crate::record::{Batch, Column};
use crate::store::session::Session;
use crate::task::dropped::Reason;
use crate::task::error::Error;
use crate::task::failing::Trouble;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::NodeId;
use crate::topology::description::Aggregator;

use super::Emitted;
use super::emitted::number;
use super::fold::{check_folded, count_up};
use super::state::Timed;

/// What the node aggregates.
#[derive(Clone, Copy)]
pub(super) struct Spec {
    pub(super) gap: i64,
    pub(super) grace: i64,
    pub(super) aggregator: Aggregator,
}

/// A row that was taken, and the operator's stream time with it.
struct Taken {
    row: usize,
    stream_time: i64,
}

/// Aggregates the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    spec: Spec,
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut taken = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if rows.keys.is_null(row) {
            pass.drop_row(node, Reason::NullKey);
        } else {
            let stream_time = pass.states[node.0 as usize].observe(rows.timestamps[row]);
            taken.push(Taken { row, stream_time });
        }
    }
    let mut emitted = Emitted::none();
    let place_of = |position: usize| places.row(taken[position].row);
    let work = Work {
        node,
        spec,
        rows: &rows,
        places,
        taken: &taken,
    };
    pass.halving(node, 0..taken.len(), &place_of, &mut |pass, range| {
        work.attempt(pass, range, &mut emitted)
    })?;
    Ok(emitted)
}

struct Work<'a> {
    node: NodeId,
    spec: Spec,
    rows: &'a Batch,
    places: &'a Places,
    taken: &'a [Taken],
}

/// What is known of a session's aggregate while the batch is planned.
#[derive(Clone, Debug)]
enum Known {
    Value(Vec<u8>),
    /// It will be the state of this number.
    State(u32),
}

impl Known {
    /// The aggregate, once the steps have made `states`.
    fn value<'a>(&'a self, states: &'a Column) -> Option<&'a [u8]> {
        match self {
            Known::Value(value) => Some(value),
            Known::State(number) => states.get((number - STEP_BASE) as usize),
        }
    }
}

/// A session of the plan.
#[derive(Clone, Debug)]
struct Planned {
    start: i64,
    end: i64,
    known: Known,
}

/// What an attempt has come to.
struct Round {
    /// The rows of the attempt.
    input: Batch,
    /// The position of the first of them.
    first: usize,
    emitted: Emitted,
    rejected: Vec<Rejection>,
    /// Positions.
    late: BTreeSet<usize>,
}

/// One row's part of the plan.
struct Move {
    taken: usize,
    /// The sessions that it merges, by end.
    old: Vec<Planned>,
    start: i64,
    end: i64,
    /// Steps of the program up to and with this row's.
    steps_end: usize,
}

impl Work<'_> {
    /// All rows of the range, or no change at all.
    fn attempt(
        &self,
        pass: &mut Pass<'_>,
        range: Range<usize>,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let savepoint = pass.overlay.savepoint();
        let mut round = Round {
            input: self.rows.select(
                &self.taken[range.clone()]
                    .iter()
                    .map(|t| number(t.row))
                    .collect::<Vec<u32>>(),
            ),
            first: range.start,
            emitted: Emitted::changes(pass.topology.node(self.node).tells_old),
            rejected: Vec::new(),
            late: BTreeSet::new(),
        };
        let done = self.rounds(pass, range, &mut round);
        if done.is_err() {
            pass.overlay.rollback_to(&savepoint);
        }
        pass.overlay.release(savepoint);
        done?;
        round
            .late
            .iter()
            .for_each(|_| pass.drop_row(self.node, Reason::Late));
        pass.reject(self.node, &round.rejected, round.first, &|position| {
            self.places.row(self.taken[position].row)
        });
        emitted.join(round.emitted);
        Ok(())
    }

    /// Plans as far as possible, calls, applies; a null result or a refused row begins the rest
    /// anew.
    fn rounds(
        &self,
        pass: &mut Pass<'_>,
        range: Range<usize>,
        round: &mut Round,
    ) -> Result<(), Trouble> {
        let mut next = range.start;
        // How many of the next row's sessions have been merged to null already.
        let mut merged_to_null = 0;
        while next < range.end {
            let mut plan = Program::default();
            let moves = self.plan(pass, next..range.end, merged_to_null, &mut plan, round)?;
            let (states, refused) = self.fold(pass, &plan, &round.input)?;
            let complete = moves
                .iter()
                .take_while(|planned| planned.steps_end <= states.len())
                .count();
            for planned in &moves[..complete] {
                self.apply(pass, planned, &states, &mut round.emitted)?;
            }
            let Some(stopped) = moves.get(complete) else {
                break;
            };
            // The first row that is not complete was refused, or its merge came to null.
            let begun = moves[..complete]
                .last()
                .map_or(0, |planned| planned.steps_end);
            let before = if complete == 0 { merged_to_null } else { 0 };
            next = stopped.taken;
            merged_to_null = before + states.len() - begun;
            if let Some(reason) = refused {
                round.rejected.push(Rejection {
                    row: number(next - round.first),
                    reason,
                });
                next += 1;
                merged_to_null = 0;
            }
        }
        Ok(())
    }

    fn plan(
        &self,
        pass: &mut Pass<'_>,
        range: Range<usize>,
        merged_to_null: usize,
        plan: &mut Program,
        round: &mut Round,
    ) -> Result<Vec<Move>, Trouble> {
        let Spec { gap, grace, .. } = self.spec;
        let Timed::Sessions(sessions) = &mut pass.states[self.node.0 as usize].timed else {
            unreachable!("a session aggregate has a session store");
        };
        let mut last = sessions.last(pass.overlay)?.unwrap_or(i64::MIN);
        let mut moves: Vec<Move> = Vec::new();
        for position in range.clone() {
            let Taken { row, stream_time } = self.taken[position];
            let (key, t) = (
                self.rows.keys.get(row).expect("taken rows have keys"),
                self.rows.timestamps[row],
            );
            let stored = sessions.find(
                pass.overlay,
                key,
                t.saturating_sub(gap),
                t.saturating_add(gap),
            )?;
            let kept = last.saturating_sub(gap.saturating_add(grace));
            let old = plan.overlapping(key, (t, gap), stored, kept);
            let start = old
                .iter()
                .map(|session| session.start)
                .min()
                .map_or(t, |start| start.min(t));
            let end = old
                .iter()
                .map(|session| session.end)
                .max()
                .map_or(t, |end| end.max(t));
            if end < stream_time.saturating_sub(grace).saturating_sub(gap) {
                round.late.insert(position);
                continue;
            }
            let skip = if position == range.start {
                merged_to_null
            } else {
                0
            };
            let state = plan.steps_of(number(position - round.first), &old, skip);
            plan.replace(
                key,
                &old,
                Planned {
                    start,
                    end,
                    known: Known::State(state),
                },
            );
            last = last.max(end);
            moves.push(Move {
                taken: position,
                old,
                start,
                end,
                steps_end: plan.steps.kinds.len(),
            });
        }
        plan.resolve();
        Ok(moves)
    }

    /// The states that the steps make, and why the next row was refused if it was.
    fn fold(
        &self,
        pass: &mut Pass<'_>,
        plan: &Program,
        input: &Batch,
    ) -> Result<(Column, Option<String>), Trouble> {
        match self.spec.aggregator {
            Aggregator::Count => Ok((plan.count()?, None)),
            Aggregator::Function(_) if plan.steps.kinds.is_empty() => Ok((Column::default(), None)),
            Aggregator::Function(function) => {
                let folded = pass
                    .functions
                    .fold(function, input, &plan.steps, &plan.handed);
                let folded = folded.map_err(|failure| pass.trouble(self.node, failure))?;
                check_folded(&folded.states, folded.rejected.as_ref(), &plan.steps)?;
                Ok((
                    folded.states,
                    folded.rejected.map(|rejection| rejection.reason),
                ))
            }
        }
    }

    /// Removes and sends the old sessions, then puts and sends the new one.
    fn apply(
        &self,
        pass: &mut Pass<'_>,
        planned: &Move,
        states: &Column,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let row = self.taken[planned.taken].row;
        let (key, t) = (
            self.rows.keys.get(row).expect("taken rows have keys"),
            self.rows.timestamps[row],
        );
        let place = self.places.row(row);
        let Timed::Sessions(sessions) = &mut pass.states[self.node.0 as usize].timed else {
            unreachable!("a session aggregate has a session store");
        };
        let same = (planned.start, planned.end) == (t, t);
        for old in planned.old.iter().filter(|_| !same) {
            sessions.put(pass.overlay, place, key, (old.start, old.end), None)?;
            let windowed = session_key(key, old.start, old.end);
            let change = (None, old.known.value(states));
            emitted.push_change(self.rows, row, Some(&windowed), change, old.end);
        }
        let value = states.get(planned.steps_end - 1);
        sessions.put(
            pass.overlay,
            place,
            key,
            (planned.start, planned.end),
            value,
        )?;
        let windowed = session_key(key, planned.start, planned.end);
        let old = planned.old.first().filter(|_| same);
        let change = (value, old.and_then(|old| old.known.value(states)));
        emitted.push_change(self.rows, row, Some(&windowed), change, planned.end);
        Ok(())
    }
}

/// The steps of a plan, and the sessions as they will be after them.
#[derive(Default)]
struct Program {
    steps: Steps,
    handed: Column,
    keys: HashMap<Vec<u8>, Changed>,
}

/// What a plan does to the sessions of one key.
#[derive(Default)]
struct Changed {
    /// Made and not yet merged into another.
    made: Vec<Planned>,
    /// Of the store, but replaced: start, end.
    gone: Vec<(i64, i64)>,
}

/// Steps number their states from here while the number of states handed in is not known yet.
const STEP_BASE: u32 = 1 << 31;

impl Program {
    /// A key's sessions that a row at `t` touches, by end: those of the store that this plan has
    /// left there, and its own.
    fn overlapping(
        &self,
        key: &[u8],
        (t, gap): (i64, i64),
        stored: Vec<Session>,
        kept: i64,
    ) -> Vec<Planned> {
        let near = |start: i64, end: i64| {
            end >= t.saturating_sub(gap) && start <= t.saturating_add(gap) && end >= kept
        };
        let changed = self.keys.get(key);
        let gone =
            |s: &Session| changed.is_some_and(|changed| changed.gone.contains(&(s.start, s.end)));
        let mut old: Vec<Planned> = stored
            .into_iter()
            .filter(|s| near(s.start, s.end))
            .filter(|s| !gone(s))
            .map(|s| Planned {
                start: s.start,
                end: s.end,
                known: Known::Value(s.value),
            })
            .collect();
        let own = changed
            .iter()
            .flat_map(|changed| &changed.made)
            .filter(|s| near(s.start, s.end));
        old.extend(own.cloned());
        old.sort_by_key(|session| (session.end, session.start));
        old
    }

    /// Adds a row's steps: merge the old sessions one after the other, beginning with nothing, then
    /// add the row. Answers with the number of its state.
    fn steps_of(&mut self, row: u32, old: &[Planned], skip: usize) -> u32 {
        let mut state = Steps::NO_STATE;
        for session in &old[skip.min(old.len())..] {
            let right = match &session.known {
                Known::State(number) => *number,
                Known::Value(value) => {
                    self.handed.push(Some(value));
                    number(self.handed.len() - 1)
                }
            };
            state = self.step(Step::Merge, state, right, row);
        }
        self.step(Step::Add, state, 0, row)
    }

    fn step(&mut self, kind: Step, left: u32, right: u32, row: u32) -> u32 {
        let made = STEP_BASE + number(self.steps.kinds.len());
        self.steps.kinds.push(kind);
        self.steps.left.push(left);
        self.steps.right.push(right);
        self.steps.rows.push(row);
        made
    }

    fn replace(&mut self, key: &[u8], old: &[Planned], new: Planned) {
        let changed = self.keys.entry(key.to_vec()).or_default();
        for session in old {
            changed
                .made
                .retain(|made| (made.start, made.end) != (session.start, session.end));
            changed.gone.push((session.start, session.end));
        }
        changed.gone.push((new.start, new.end));
        changed.made.push(new);
    }

    /// Gives the steps' states their numbers, now that the number of those handed in is known.
    fn resolve(&mut self) {
        let handed = number(self.handed.len());
        for state in self.steps.left.iter_mut().chain(&mut self.steps.right) {
            if *state >= STEP_BASE && *state != Steps::NO_STATE {
                *state = *state - STEP_BASE + handed;
            }
        }
    }

    /// The steps as counts: an added row is one, a merge is a sum.
    fn count(&self) -> Result<Column, Trouble> {
        let mut states = Vec::with_capacity(self.handed.len() + self.steps.kinds.len());
        for value in self.handed.iter() {
            states.push(count_up(value, 0)?);
        }
        let handed = states.len();
        for step in 0..self.steps.kinds.len() {
            let left = self.steps.left[step];
            let left = if left == Steps::NO_STATE {
                0
            } else {
                states[left as usize]
            };
            let right = match self.steps.kinds[step] {
                Step::Merge => states[self.steps.right[step] as usize],
                Step::Add => 1,
                Step::Subtract => -1,
            };
            states.push(left.wrapping_add(right));
        }
        let made: Vec<[u8; 8]> = states[handed..]
            .iter()
            .map(|count| count.to_be_bytes())
            .collect();
        Ok(made.iter().map(|count| Some(&count[..])).collect())
    }
}
