//! Aggregates: count, reduce, aggregate; plain, or in tumbling and hopping windows.
//!
//! Every row taken gives one update of its key, or one of each of its windows that is open still. A
//! state has the highest timestamp of its rows. Windows close by the operator's own stream time,
//! which rows without a key do not move.

use std::ops::Range;

use crate::codec::{split_windowed_key, windowed_key};
use crate::record::{Batch, Column};
use crate::store::{Entries, StoreId};
use crate::task::dropped::Reason;
use crate::task::error::Error;
use crate::task::failing::Trouble;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::description::{Aggregator, Window};
use crate::topology::{NodeId, Operation};

use super::Emitted;
use super::emitted::{number, part};
use super::fold::{Results, Target, fold};
use super::interner::Interner;
use super::state::Timed;

struct Spec {
    aggregator: Aggregator,
    store: StoreId,
    window: Option<Window>,
}

/// Rows of the batch with the keys of their groups, as they will be sent.
#[derive(Default)]
struct Plan {
    rows: Vec<u32>,
    keys: Column,
}

/// Aggregates the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    rows: Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    let Operation::Aggregate {
        aggregator,
        store,
        window,
        skip_null_values,
    } = &topology.node(node).operation
    else {
        unreachable!("only aggregates come here");
    };
    let spec = Spec {
        aggregator: *aggregator,
        store: *store,
        window: *window,
    };
    let mut plan = Plan::default();
    for row in 0..rows.len() {
        let Some(key) = rows.keys.get(row) else {
            pass.drop_row(node, Reason::NullKey);
            continue;
        };
        if *skip_null_values && rows.values.is_null(row) {
            pass.drop_row(node, Reason::NullValue);
            continue;
        }
        plan_row(
            pass,
            node,
            &spec,
            (row, key, rows.timestamps[row]),
            &mut plan,
        );
    }
    let mut emitted = Emitted::changes(topology.node(node).tells_old);
    let place_of = |row: usize| places.row(row);
    pass.halving(node, 0..rows.len(), &place_of, &mut |pass, range| {
        attempt(pass, node, &spec, &plan, &rows, places, range, &mut emitted)
    })?;
    Ok(emitted)
}

fn plan_row(
    pass: &mut Pass<'_>,
    node: NodeId,
    spec: &Spec,
    (row, key, timestamp): (usize, &[u8], i64),
    plan: &mut Plan,
) {
    match spec.window {
        Some(Window::Hopping {
            size,
            advance,
            grace,
        }) => {
            let stream_time = pass.states[node.0 as usize].observe(timestamp);
            let before = plan.rows.len();
            for start in starts(timestamp, size, advance) {
                if start.saturating_add(size) > stream_time.saturating_sub(grace) {
                    plan.rows.push(number(row));
                    plan.keys.push(Some(&windowed_key(key, start)));
                }
            }
            if plan.rows.len() == before {
                pass.drop_row(node, Reason::Late);
            }
        }
        _ => {
            plan.rows.push(number(row));
            plan.keys.push(Some(key));
        }
    }
}

/// The starts, from 0 on, of the windows that hold a time, lowest first.
fn starts(timestamp: i64, size: i64, advance: i64) -> impl Iterator<Item = i64> {
    let first = (timestamp.saturating_sub(size).div_euclid(advance) + 1).max(0) * advance;
    (0..)
        .map(move |n| first + n * advance)
        .take_while(move |&start| start <= timestamp)
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one attempt; none belongs with another"
)]
fn attempt(
    pass: &mut Pass<'_>,
    node: NodeId,
    spec: &Spec,
    plan: &Plan,
    rows: &Batch,
    places: &Places,
    range: Range<usize>,
    emitted: &mut Emitted,
) -> Result<(), Trouble> {
    let (first, end) = (number(range.start), number(range.end));
    let planned =
        plan.rows.partition_point(|&row| row < first)..plan.rows.partition_point(|&row| row < end);
    let mut groups = Interner::default();
    let targets: Vec<Target> = planned
        .map(|target| Target {
            row: plan.rows[target] - first,
            group: groups.number(plan.keys.get(target).expect("a group has a key")),
        })
        .collect();
    let before = fetch(pass, node, spec, groups.keys())?;
    let input = part(rows, &range);
    let results = fold(pass, node, spec.aggregator, &input, &targets, &before)?;
    pass.reject(node, &results.rejected, range.start, &|row| places.row(row));
    write(
        pass,
        node,
        spec,
        &groups,
        &targets,
        (&before, results),
        (rows, places, range.start),
        emitted,
    )
}

fn fetch(
    pass: &mut Pass<'_>,
    node: NodeId,
    spec: &Spec,
    keys: &Column,
) -> Result<Entries, Trouble> {
    let Timed::Windows(windows) = &mut pass.states[node.0 as usize].timed else {
        return Ok(pass.overlay.get_many(spec.store, keys)?);
    };
    let (plain, starts): (Vec<&[u8]>, Vec<i64>) =
        keys.iter().flatten().filter_map(split_windowed_key).unzip();
    let plain: Column = plain.into_iter().map(Some).collect();
    Ok(windows.fetch_many(pass.overlay, &plain, &starts)?)
}

/// Puts and sends the states. Only the last of each group is put, unless other nodes read the
/// store.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one attempt; none belongs with another"
)]
fn write(
    pass: &mut Pass<'_>,
    node: NodeId,
    spec: &Spec,
    groups: &Interner,
    targets: &[Target],
    (before, results): (&Entries, Results),
    (rows, places, first): (&Batch, &Places, usize),
    emitted: &mut Emitted,
) -> Result<(), Trouble> {
    let mut last = vec![usize::MAX; groups.keys().len()];
    for (position, target) in targets.iter().enumerate() {
        if results.states[position].is_some() {
            last[target.group as usize] = position;
        }
    }
    let each = pass.topology.store(spec.store).read_by_others;
    let old = |group: usize| (!before.values.is_null(group)).then(|| before.timestamps[group]);
    let mut timestamps: Vec<Option<i64>> = (0..groups.keys().len()).map(old).collect();
    let mut olds: Vec<Option<&[u8]>> = before.values.iter().collect();
    for (position, (target, state)) in targets.iter().zip(&results.states).enumerate() {
        let Some(state) = state else { continue };
        let row = first + target.row as usize;
        let group = target.group as usize;
        let timestamp =
            timestamps[group].map_or(rows.timestamps[row], |old| old.max(rows.timestamps[row]));
        timestamps[group] = state.is_some().then_some(timestamp);
        let key = groups.key(target.group);
        if each || last[group] == position {
            match &mut pass.states[node.0 as usize].timed {
                Timed::Windows(windows) => {
                    let window = split_windowed_key(key).expect("a windowed key was made");
                    windows.put(
                        pass.overlay,
                        places.row(row),
                        window,
                        state.as_deref(),
                        timestamp,
                    )?;
                }
                _ => pass.overlay.put(
                    spec.store,
                    places.row(row),
                    key,
                    state.as_deref(),
                    timestamp,
                ),
            }
        }
        let change = (state.as_deref(), olds[group]);
        emitted.push_change(rows, row, Some(key), change, timestamp);
        olds[group] = state.as_deref();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_every_window_that_spans_it_and_none_begins_before_0() {
        let all = |timestamp, size, advance| starts(timestamp, size, advance).collect::<Vec<_>>();
        assert_eq!(all(25, 10, 10), [20]);
        assert_eq!(all(30, 10, 10), [30]);
        assert_eq!(all(25, 10, 4), [16, 20, 24]);
        assert_eq!(all(3, 10, 4), [0]);
        assert_eq!(all(0, 10, 3), [0]);
    }
}
