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
    /// The group's state after each target; `None`: its row was refused, nothing happened. Null:
    /// deleted.
    pub(super) states: Vec<Option<Option<Vec<u8>>>>,
    pub(super) rejected: Vec<Rejection>,
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
    let mut results = Results::default();
    for target in targets {
        let count = &mut counts[target.group as usize];
        *count = count.wrapping_add(1);
        results
            .states
            .push(Some(Some(count.to_be_bytes().to_vec())));
    }
    Ok(results)
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
    // Of each group: its state, once a former call has made one.
    let mut latest: Vec<Option<Option<Vec<u8>>>> = vec![None; before.values.len()];
    let mut next = 0;
    while next < targets.len() {
        let (steps, states) = program(&targets[next..], before, &latest);
        let folded = pass.functions.fold(function, rows, &steps, &states);
        let folded = folded.map_err(|failure| pass.trouble(node, failure))?;
        let made = folded.states.len();
        check_folded(&folded.states, folded.rejected.as_ref(), &steps)?;
        for (target, state) in targets[next..next + made].iter().zip(folded.states.iter()) {
            let state = state.map(<[u8]>::to_vec);
            latest[target.group as usize] = Some(state.clone());
            results.states.push(Some(state));
        }
        next += made;
        if let Some(rejection) = folded.rejected {
            while next < targets.len() && targets[next].row == rejection.row {
                results.states.push(None);
                next += 1;
            }
            results.rejected.push(rejection);
        }
    }
    Ok(results)
}

/// The steps of targets, each from the state that the one before it in its group makes, and the
/// states they begin with.
fn program(
    targets: &[Target],
    before: &Entries,
    latest: &[Option<Option<Vec<u8>>>],
) -> (Steps, Column) {
    const UNSEEN: u32 = u32::MAX - 1;
    let mut states = Column::default();
    let mut current = vec![UNSEEN; latest.len()];
    for target in targets {
        let group = target.group as usize;
        if current[group] == UNSEEN {
            let state = match &latest[group] {
                Some(state) => state.as_deref(),
                None => before.values.get(group),
            };
            current[group] = Steps::NO_STATE;
            if state.is_some() {
                current[group] = number(states.len());
                states.push(state);
            }
        }
    }
    let mut steps = Steps::default();
    for (step, target) in targets.iter().enumerate() {
        steps.kinds.push(Step::Add);
        steps.left.push(current[target.group as usize]);
        steps.right.push(u32::from(target.input));
        steps.rows.push(target.row);
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
