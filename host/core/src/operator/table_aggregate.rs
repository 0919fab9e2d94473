//! Table aggregates: count, reduce, aggregate of a grouped table.
//!
//! A row is a change of a group: the old value is subtracted, then the new one added, and one
//! update is sent. With no aggregate there, nothing can be subtracted, and adding starts anew. All
//! changes of a batch are one program of steps, and one call; a step that makes null begins the
//! rest anew.

use std::ops::Range;

use crate::functions::{FunctionId, Rejection, Step, Steps};
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::trouble::{Trouble, malformed};
use crate::record::{Batch, Column};
use crate::store::{Entries, StoreId};
use crate::topology::NodeId;
use crate::topology::description::Aggregator;

use super::Emitted;
use super::change::decode;
use super::emitted::number;
use super::fold::{check_folded, count_up};
use super::interner::Interner;

/// What a row does to a group. Values are rows of the call's batch.
struct Change {
    row: usize,
    group: u32,
    old: Option<u32>,
    new: Option<u32>,
}

/// The changes of an attempt.
#[derive(Default)]
struct Changes {
    input: Batch,
    groups: Interner,
    changes: Vec<Change>,
}

/// What became of the changes.
#[derive(Default)]
struct Results {
    /// The group's state after each; `None`: it was refused, nothing happened. Null: deleted.
    states: Vec<Option<Option<Vec<u8>>>>,
    /// Numbered like the changes.
    rejected: Vec<Rejection>,
}

/// Aggregates the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    (aggregator, store): (Aggregator, StoreId),
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut emitted = Emitted::changes(pass.topology.node(node).tells_old);
    let place_of = |row: usize| places.row(row);
    pass.halving(node, 0..rows.len(), &place_of, &mut |pass, range| {
        let first = range.start;
        let changes = Changes::of(rows, range)?;
        let before = pass.overlay.get_many(store, changes.groups.keys())?;
        let results = match aggregator {
            Aggregator::Count => changes.count(&before)?,
            Aggregator::Function(function) => changes.fold(pass, node, function, &before)?,
        };
        pass.reject(node, &results.rejected, first, &place_of);
        changes.write(
            pass,
            store,
            (&before, &results),
            (rows, places),
            &mut emitted,
        );
        Ok(())
    })?;
    Ok(emitted)
}

impl Changes {
    fn of(rows: &Batch, range: Range<usize>) -> Result<Changes, Trouble> {
        let mut changes = Changes::default();
        for row in range {
            let change = rows
                .keys
                .get(row)
                .zip(rows.values.get(row).and_then(decode));
            let Some((group, (new, old))) = change else {
                return Err(malformed(
                    "a row of the groups' topic is no change of a group",
                ));
            };
            let mut take = |value: Option<&[u8]>| {
                value.map(|value| {
                    changes
                        .input
                        .push(Some(group), Some(value), rows.timestamps[row]);
                    number(changes.input.len() - 1)
                })
            };
            let (old, new) = (take(old), take(new));
            let group = changes.groups.number(group);
            changes.changes.push(Change {
                row,
                group,
                old,
                new,
            });
        }
        Ok(changes)
    }

    fn count(&self, before: &Entries) -> Result<Results, Trouble> {
        let mut counts = Vec::with_capacity(before.values.len());
        for value in before.values.iter() {
            counts.push(value.map(|value| count_up(Some(value), 0)).transpose()?);
        }
        let mut results = Results::default();
        for change in &self.changes {
            let count: &mut Option<i64> = &mut counts[change.group as usize];
            if change.old.is_some() {
                *count = count.map(|count| count.wrapping_sub(1));
            }
            if change.new.is_some() {
                *count = Some(count.unwrap_or(0).wrapping_add(1));
            }
            let state = count.map(|count| count.to_be_bytes().to_vec());
            results.states.push(Some(state));
        }
        Ok(results)
    }

    fn fold(
        &self,
        pass: &mut Pass<'_>,
        node: NodeId,
        function: FunctionId,
        before: &Entries,
    ) -> Result<Results, Trouble> {
        let mut results = Results::default();
        let mut states: Vec<Option<Vec<u8>>> = before
            .values
            .iter()
            .map(|state| state.map(<[u8]>::to_vec))
            .collect();
        // Whether the next change's subtraction has come to null already.
        let mut subtracted_to_null = false;
        while results.states.len() < self.changes.len() {
            let first = results.states.len();
            let program = Program::of(&self.changes[first..], &states, subtracted_to_null);
            let folded = if program.steps.kinds.is_empty() {
                crate::functions::Folded::default()
            } else {
                let (steps, handed) = (&program.steps, &program.handed);
                let folded = pass.functions.fold(function, &self.input, steps, handed);
                folded.map_err(|failure| pass.trouble(node, failure))?
            };
            let made = folded.states.len();
            check_folded(&folded.states, folded.rejected.as_ref(), &program.steps)?;
            let mut begun = 0;
            for (change, &end) in self.changes[first..].iter().zip(&program.ends) {
                if end > made {
                    break;
                }
                let state = &mut states[change.group as usize];
                if end > begun {
                    *state = folded.states.get(end - 1).map(<[u8]>::to_vec);
                }
                results.states.push(Some(state.clone()));
                begun = end;
            }
            subtracted_to_null = made > begun;
            if let Some(rejection) = folded.rejected {
                results.rejected.push(Rejection {
                    row: number(results.states.len()),
                    reason: rejection.reason,
                });
                results.states.push(None);
                subtracted_to_null = false;
            }
        }
        Ok(results)
    }

    fn write(
        &self,
        pass: &mut Pass<'_>,
        store: StoreId,
        (before, results): (&Entries, &Results),
        (rows, places): (&Batch, &Places),
        emitted: &mut Emitted,
    ) {
        let mut olds: Vec<Option<(&[u8], i64)>> = before
            .values
            .iter()
            .zip(&before.timestamps)
            .map(|(value, &timestamp)| Some((value?, timestamp)))
            .collect();
        for (change, state) in self.changes.iter().zip(&results.states) {
            let Some(state) = state else { continue };
            let row = change.row;
            let (key, new) = (self.groups.key(change.group), state.as_deref());
            let old = &mut olds[change.group as usize];
            let time = rows.timestamps[row];
            let timestamp = old.map_or(time, |(_, before)| before.max(time));
            pass.overlay
                .put(store, places.row(row), key, new, timestamp);
            let told = (new, old.map(|(value, _)| value));
            emitted.push_change(rows, row, Some(key), told, timestamp);
            *old = new.map(|new| (new, timestamp));
        }
    }
}

/// The steps of changes, each from the state that the one before it in its group makes.
struct Program {
    steps: Steps,
    /// The states they begin with.
    handed: Column,
    /// Of each change: the steps up to and with its own.
    ends: Vec<usize>,
}

impl Program {
    fn of(changes: &[Change], states: &[Option<Vec<u8>>], subtracted_to_null: bool) -> Program {
        let mut handed = Column::default();
        let mut current = vec![Steps::NO_STATE; states.len()];
        for change in changes {
            let group = change.group as usize;
            if current[group] == Steps::NO_STATE && states[group].is_some() {
                current[group] = number(handed.len());
                handed.push(states[group].as_deref());
            }
        }
        let mut program = Program {
            steps: Steps::default(),
            handed,
            ends: Vec::with_capacity(changes.len()),
        };
        for (position, change) in changes.iter().enumerate() {
            let state = &mut current[change.group as usize];
            if position == 0 && subtracted_to_null {
                *state = Steps::NO_STATE;
            } else if let (Some(old), true) = (change.old, *state != Steps::NO_STATE) {
                *state = program.step(Step::Subtract, *state, old);
            }
            if let Some(new) = change.new {
                *state = program.step(Step::Add, *state, new);
            }
            program.ends.push(program.steps.kinds.len());
        }
        program
    }

    fn step(&mut self, kind: Step, left: u32, row: u32) -> u32 {
        let made = number(self.handed.len() + self.steps.kinds.len());
        self.steps.kinds.push(kind);
        self.steps.left.push(left);
        self.steps.right.push(0);
        self.steps.rows.push(row);
        made
    }
}
