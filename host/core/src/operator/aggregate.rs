//! Aggregates: count, reduce, aggregate; plain, or in tumbling and hopping windows.
//!
//! Every row taken gives one update of its key, or one of each of its windows that is open still. A
//! state has the highest timestamp of its rows. Windows close by the operator's own stream time,
//! which rows without a key do not move; a cogroup has one for each input.

use std::ops::Range;

use crate::codec::{set_windowed_key, split_windowed_key};
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
use super::fold::{Results, Target, fold};
use super::interner::Interner;
use super::session::Sessions;
use super::sliding::Sliding;
use super::windowed::{Taken, Work};
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

/// The rows of the batch with the groups that they go into.
#[derive(Default)]
struct Plan {
    targets: Vec<Target>,
    /// Keys as they will be sent.
    groups: Interner,
}

impl Plan {
    fn push(&mut self, taken: &Taken, key: &[u8]) {
        self.targets.push(Target {
            row: number(taken.row),
            input: taken.input,
            group: self.groups.number(key),
        });
    }

    /// Some of the targets, their rows numbered from `first` on, with their groups alone.
    fn part(&self, targets: Range<usize>, first: u32) -> Plan {
        let mut part = Plan::default();
        for target in &self.targets[targets] {
            part.targets.push(Target {
                row: target.row - first,
                input: target.input,
                group: part.groups.number(self.groups.key(target.group)),
            });
        }
        part
    }
}

/// Every row with its key, or with each of its windows that is open still.
fn plan(pass: &mut Pass<'_>, work: &Work<'_>, window: Option<Window>) -> Plan {
    let mut plan = Plan::default();
    plan.targets.reserve(work.taken.len());
    let mut windowed = Vec::new();
    for taken in &work.taken {
        let key = work.rows.keys.get(taken.row).expect("taken rows have keys");
        let Some(Window::Hopping {
            size,
            advance,
            grace,
        }) = window
        else {
            plan.push(taken, key);
            continue;
        };
        let before = plan.targets.len();
        for start in starts(work.rows.timestamps[taken.row], size, advance) {
            if start.saturating_add(size) > taken.stream_time.saturating_sub(grace) {
                set_windowed_key(&mut windowed, key, start);
                plan.push(taken, &windowed);
            }
        }
        if plan.targets.len() == before {
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
        let begin = |row: u32| {
            let targets = &self.plan.targets;
            targets.partition_point(|target| target.row < row)
        };
        let part_of_plan =
            (range.len() < rows.len()).then(|| self.plan.part(begin(first)..begin(end), first));
        let plan = part_of_plan.as_ref().unwrap_or(&self.plan);
        let before = self.fetch(pass, plan.groups.keys())?;
        let input = part(rows, &range);
        let results = fold(pass, node, aggregator, &input, &plan.targets, &before)?;
        pass.reject(node, &results.rejected, range.start, &|row| places.row(row));
        let made = Made {
            plan,
            before,
            results,
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
        made: &Made<'_>,
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
        for (position, state) in made.results.made() {
            let target = &made.plan.targets[position];
            let row = range.start + target.row as usize;
            while on_close && taken[closing].row < row {
                self.work.send_closed(pass, closing, emitted)?;
                closing += 1;
            }
            let group = target.group as usize;
            let timestamp =
                timestamps[group].map_or(rows.timestamps[row], |old| old.max(rows.timestamps[row]));
            timestamps[group] = state.is_some().then_some(timestamp);
            let key = made.plan.groups.key(target.group);
            if each || last[group] == position {
                let new = each || made.before.values.is_null(group);
                self.put(pass, (row, key), state, timestamp, new)?;
            }
            if !on_close {
                let change = (state, olds[group]);
                emitted.push_change(rows, row, Some(key), change, timestamp);
            }
            olds[group] = state;
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
struct Made<'p> {
    plan: &'p Plan,
    before: Entries,
    results: Results,
}

impl Made<'_> {
    /// Of each group its last target that has a state.
    fn last(&self) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.before.values.len()];
        for (position, _) in self.results.made() {
            last[self.plan.targets[position].group as usize] = position;
        }
        last
    }

    /// Of each group the timestamp that it had, if it was there.
    fn timestamps(&self) -> Vec<Option<i64>> {
        let old = |group: usize| {
            let there = !self.before.values.is_null(group);
            there.then(|| self.before.timestamps[group])
        };
        (0..self.before.values.len()).map(old).collect()
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
