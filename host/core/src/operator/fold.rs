//! Folds: the states that aggregators make of rows, for many groups in one call.
//!
//! A group is a key, or a key in a window; a target says that a row goes into a group. The engine
//! makes a step of each target and one call for all. A step that makes null deletes its group, and
//! what comes after it is planned anew.

use crate::functions::{FunctionId, Rejection, Step, Steps};
use crate::pass::Pass;
use crate::pass::trouble::{Trouble, malformed};
use crate::record::{Batch, Column};
use crate::store::Entries;
use crate::topology::NodeId;
use crate::topology::description::Aggregator;

use super::emitted::number;

/// A row that goes into a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Row of the call's batch.
    pub(super) row: u32,
    /// By which it came.
    pub(super) input: u8,
    pub(super) group: u32,
}

/// What became of the targets.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// The group's state after each target. Null: deleted, or its row was refused.
    states: Column,
    /// The targets whose rows were refused, ascending.
    refused: Vec<u32>,
    pub(super) rejected: Vec<Rejection>,
}

impl Results {
    /// Each target whose row was not refused, with the state that it made of its group; a null
    /// deletes it.
    pub(super) fn made(&self) -> impl Iterator<Item = (usize, Option<&[u8]>)> {
        let mut refused = self.refused.iter().peekable();
        let states = self.states.iter().enumerate();
        states.filter(move |&(target, _)| refused.next_if(|&&at| at == number(target)).is_none())
    }
}

/// Folds rows into groups, whose states until now are `before`.
pub(super) fn fold(
    pass: &mut Pass<'_>,
    node: NodeId,
    aggregator: Aggregator,
    rows: &Batch,
    targets: &[Target],
    before: &Entries,
) -> Result<Results, Trouble> {
    match aggregator {
        Aggregator::Count => count(targets, before),
        Aggregator::Function(function) => call(pass, node, function, rows, targets, before),
    }
}

/// One more than a count.
pub(super) fn count_up(count: Option<&[u8]>, by: i64) -> Result<i64, Trouble> {
    let Some(bytes) = count else { return Ok(by) };
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) => Ok(i64::from_be_bytes(bytes).wrapping_add(by)),
        Err(_) => Err(malformed(format!(
            "a count of {} bytes in the store",
            bytes.len()
        ))),
    }
}

fn count(targets: &[Target], before: &Entries) -> Result<Results, Trouble> {
    let mut counts: Vec<i64> = Vec::with_capacity(before.values.len());
    for value in before.values.iter() {
        counts.push(count_up(value, 0)?);
    }
    let mut states = Column::with_capacity(targets.len(), 8 * targets.len());
    for target in targets {
        let count = &mut counts[target.group as usize];
        *count = count.wrapping_add(1);
        states.push(Some(&count.to_be_bytes()));
    }
    Ok(Results {
        states,
        ..Results::default()
    })
}

/// Where the latest state of a group stands.
#[derive(Clone, Copy)]
enum Latest {
    /// No step has made one.
    Before,
    /// The target of this number made it.
    Made(usize),
}

fn call(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    rows: &Batch,
    targets: &[Target],
    before: &Entries,
) -> Result<Results, Trouble> {
    let mut results = Results::default();
    let mut latest = vec![Latest::Before; before.values.len()];
    while results.states.len() < targets.len() {
        let first = results.states.len();
        let (steps, states) = program(&targets[first..], &latest, |group, latest| match latest {
            Latest::Before => before.values.get(group),
            Latest::Made(target) => results.states.get(target),
        });
        let folded = pass.functions.fold(function, rows, &steps, &states);
        let folded = folded.map_err(|failure| pass.trouble(node, failure))?;
        let made = folded.states.len();
        check_folded(&folded.states, folded.rejected.as_ref(), &steps)?;
        if made == targets.len() {
            results.states = folded.states;
            break;
        }
        results.states.append(&folded.states);
        for target in first..first + made {
            latest[targets[target].group as usize] = Latest::Made(target);
        }
        if let Some(rejection) = folded.rejected {
            let rest = &targets[first + made..];
            for _ in rest.iter().take_while(|target| target.row == rejection.row) {
                results.refused.push(number(results.states.len()));
                results.states.push(None);
            }
            results.rejected.push(rejection);
        }
    }
    Ok(results)
}

/// The steps of targets, each from the state that the one before it in its group makes, and the
/// states they begin with.
fn program<'s>(
    targets: &[Target],
    latest: &[Latest],
    state_of: impl Fn(usize, Latest) -> Option<&'s [u8]>,
) -> (Steps, Column) {
    const UNSEEN: u32 = u32::MAX - 1;
    let mut states = Column::default();
    let mut current = vec![UNSEEN; latest.len()];
    for target in targets {
        let group = target.group as usize;
        if current[group] == UNSEEN {
            let state = state_of(group, latest[group]);
            current[group] = Steps::NO_STATE;
            if state.is_some() {
                current[group] = number(states.len());
                states.push(state);
            }
        }
    }
    let mut steps = Steps {
        kinds: vec![Step::Add; targets.len()],
        left: Vec::with_capacity(targets.len()),
        right: targets
            .iter()
            .map(|target| u32::from(target.input))
            .collect(),
        rows: targets.iter().map(|target| target.row).collect(),
    };
    for (step, target) in targets.iter().enumerate() {
        steps.left.push(current[target.group as usize]);
        current[target.group as usize] = number(states.len() + step);
    }
    (steps, states)
}

/// Whether an answer is complete, or stops at a null or a refused row.
pub(super) fn check_folded(
    states: &Column,
    rejected: Option<&Rejection>,
    steps: &Steps,
) -> Result<(), Trouble> {
    let (made, asked) = (states.len(), steps.kinds.len());
    if made > asked {
        return Err(malformed(format!("{made} states for {asked} steps")));
    }
    if (0..made.saturating_sub(1)).any(|step| states.is_null(step)) {
        return Err(malformed("a null state is the last one of an answer"));
    }
    match rejected {
        Some(rejection) if made == asked || steps.rows[made] != rejection.row => {
            Err(malformed(format!(
                "row {} is refused, but is not that of the next step",
                rejection.row
            )))
        }
        None if made < asked && (made == 0 || !states.is_null(made - 1)) => Err(malformed(
            format!("{made} states for {asked} steps, with no null and no refused row"),
        )),
        _ => Ok(()),
    }
}
