//! Aggregates: count, reduce, aggregate; plain, or in tumbling and hopping windows.
//!
//! Every row taken gives one update of its key, or one of each of its windows that is open still. A
//! state has the highest timestamp of its rows. Windows close by the operator's own stream time,
//! which rows without a key do not move; a cogroup has one for each input.

use std::ops::Range;

use crate::codec::{split_windowed_key, windowed_key};
use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::{Inputs, Places};
use crate::pass::trouble::Trouble;
use crate::record::{Batch, Column};
use crate::store::{Entries, StoreId};
use crate::topology::description::{Emit, Window};
use crate::topology::{NodeId, Operation};

use super::Emitted;
use super::emitted::{number, part};
use super::fold::{Target, fold};
use super::interner::Interner;
use super::session::Sessions;
use super::sliding::Sliding;
use super::windowed::Work;
use crate::pass::memory::Timed;

/// Aggregates the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    rows: &Batch,
    inputs: &Inputs,
    places: &Places,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    let Operation::Aggregate {
        aggregator,
        store,
        window,
        emit,
        skip_null_values,
    } = &topology.node(node).operation
    else {
        unreachable!("only aggregates come here");
    };
    let work = Work {
        node,
        aggregator: *aggregator,
        on_close: window.filter(|_| *emit == Emit::OnWindowClose),
        rows,
        places,
        taken: Work::take(pass, node, rows, inputs, *skip_null_values),
    };
    let grouped = match *window {
        Some(Window::Sliding { size, grace }) => return work.run(pass, &Sliding { size, grace }),
        Some(Window::Session { gap, grace }) => return work.run(pass, &Sessions { gap, grace }),
        Some(Window::Hopping { .. }) | None => Grouped {
            store: *store,
            plan: plan(pass, &work, *window),
            work,
        },
    };
    let mut emitted = Emitted::changes(topology.node(node).tells_old);
    let place_of = |row: usize| places.row(row);
    pass.halving(node, 0..rows.len(), &place_of, &mut |pass, range| {
        grouped.attempt(pass, range, &mut emitted)
    })?;
    Ok(emitted)
}

/// Rows of the batch with the keys of their groups, as they will be sent.
#[derive(Default)]
struct Plan {
    rows: Vec<u32>,
    inputs: Vec<u8>,
    keys: Column,
}

impl Plan {
    fn push(&mut self, row: usize, input: u8, key: &[u8]) {
        self.rows.push(number(row));
        self.inputs.push(input);
        self.keys.push(Some(key));
    }
}

/// Every row with its key, or with each of its windows that is open still.
fn plan(pass: &mut Pass<'_>, work: &Work<'_>, window: Option<Window>) -> Plan {
    let mut plan = Plan::default();
    for taken in &work.taken {
        let (row, input) = (taken.row, taken.input);
        let key = work.rows.keys.get(row).expect("taken rows have keys");
        let Some(Window::Hopping {
            size,
            advance,
            grace,
        }) = window
        else {
            plan.push(row, input, key);
            continue;
        };
        let before = plan.rows.len();
        for start in starts(work.rows.timestamps[row], size, advance) {
            if start.saturating_add(size) > taken.stream_time.saturating_sub(grace) {
                plan.push(row, input, &windowed_key(key, start));
            }
        }
        if plan.rows.len() == before {
            pass.drop_row(work.node, Reason::Late);
        }
    }
    plan
}

/// The starts, from 0 on, of the windows that hold a time, lowest first.
fn starts(timestamp: i64, size: i64, advance: i64) -> impl Iterator<Item = i64> {
    let first = (timestamp.saturating_sub(size).div_euclid(advance) + 1).max(0) * advance;
    (0..)
        .map(move |n| first + n * advance)
        .take_while(move |&start| start <= timestamp)
}

/// A batch whose rows go into groups: keys, or keys in windows.
struct Grouped<'a> {
    work: Work<'a>,
    store: StoreId,
    plan: Plan,
}

impl Grouped<'_> {
    fn attempt(
        &self,
        pass: &mut Pass<'_>,
        range: Range<usize>,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let Work {
            node,
            aggregator,
            rows,
            places,
            ..
        } = self.work;
        let (first, end) = (number(range.start), number(range.end));
        let planned = &self.plan.rows;
        let planned =
            planned.partition_point(|&row| row < first)..planned.partition_point(|&row| row < end);
        let mut groups = Interner::default();
        let targets: Vec<Target> = planned
            .map(|target| Target {
                row: self.plan.rows[target] - first,
                input: self.plan.inputs[target],
                group: groups.number(self.plan.keys.get(target).expect("a group has a key")),
            })
            .collect();
        let before = self.fetch(pass, groups.keys())?;
        let input = part(rows, &range);
        let results = fold(pass, node, aggregator, &input, &targets, &before)?;
        pass.reject(node, &results.rejected, range.start, &|row| places.row(row));
        let made = Made {
            groups,
            targets,
            before,
            states: results.states,
        };
        self.write(pass, &made, range, emitted)
    }

    fn fetch(&self, pass: &mut Pass<'_>, keys: &Column) -> Result<Entries, Trouble> {
        let Timed::Windows(windows) = &mut pass.states[self.work.node.0 as usize].timed else {
            return Ok(pass.overlay.get_many(self.store, keys)?);
        };
        Ok(windows.fetch_many(pass.overlay, keys)?)
    }

    /// Puts and sends the states, and what closes. Only the last of each group is put, unless other
    /// nodes read the store.
    fn write(
        &self,
        pass: &mut Pass<'_>,
        made: &Made,
        range: Range<usize>,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let Work { rows, taken, .. } = &self.work;
        let on_close = self.work.on_close.is_some();
        let mut closing = taken.partition_point(|taken| taken.row < range.start);
        let last = made.last();
        let each = pass.topology.store(self.store).read_by_others;
        let mut timestamps = made.timestamps();
        let mut olds: Vec<Option<&[u8]>> = made.before.values.iter().collect();
        for (position, (target, state)) in made.targets.iter().zip(&made.states).enumerate() {
            let Some(state) = state else { continue };
            let row = range.start + target.row as usize;
            while on_close && taken[closing].row < row {
                self.work.send_closed(pass, closing, emitted)?;
                closing += 1;
            }
            let group = target.group as usize;
            let timestamp =
                timestamps[group].map_or(rows.timestamps[row], |old| old.max(rows.timestamps[row]));
            timestamps[group] = state.is_some().then_some(timestamp);
            let key = made.groups.key(target.group);
            if each || last[group] == position {
                let new = each || made.before.values.is_null(group);
                self.put(pass, (row, key), state.as_deref(), timestamp, new)?;
            }
            if !on_close {
                let change = (state.as_deref(), olds[group]);
                emitted.push_change(rows, row, Some(key), change, timestamp);
            }
            olds[group] = state.as_deref();
        }
        while on_close
            && taken
                .get(closing)
                .is_some_and(|taken| taken.row < range.end)
        {
            self.work.send_closed(pass, closing, emitted)?;
            closing += 1;
        }
        Ok(())
    }

    fn put(
        &self,
        pass: &mut Pass<'_>,
        (row, key): (usize, &[u8]),
        state: Option<&[u8]>,
        timestamp: i64,
        new: bool,
    ) -> Result<(), Trouble> {
        let place = self.work.places.row(row);
        let Timed::Windows(windows) = &mut pass.states[self.work.node.0 as usize].timed else {
            pass.overlay.put(self.store, place, key, state, timestamp);
            return Ok(());
        };
        let window = split_windowed_key(key).expect("a windowed key was made");
        windows.put(pass.overlay, place, window, state, timestamp)?;
        if self.work.on_close.is_some() {
            match state {
                Some(_) if new => windows.open(pass.overlay, place, window),
                Some(_) => {}
                None => windows.forget(pass.overlay, place, window),
            }
        }
        Ok(())
    }
}

/// What an attempt has made.
struct Made {
    groups: Interner,
    targets: Vec<Target>,
    before: Entries,
    /// Of each target, as [`fold`] answers them.
    states: Vec<Option<Option<Vec<u8>>>>,
}

impl Made {
    /// Of each group its last target that has a state.
    fn last(&self) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.groups.keys().len()];
        for (position, target) in self.targets.iter().enumerate() {
            if self.states[position].is_some() {
                last[target.group as usize] = position;
            }
        }
        last
    }

    /// Of each group the timestamp that it had, if it was there.
    fn timestamps(&self) -> Vec<Option<i64>> {
        let old = |group: usize| {
            let there = !self.before.values.is_null(group);
            there.then(|| self.before.timestamps[group])
        };
        (0..self.groups.keys().len()).map(old).collect()
    }
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
