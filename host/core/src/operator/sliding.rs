//! Sliding windows: one that ends at each row, and one that begins just after it, as far as other
//! rows lie in them.
//!
//! Of each set of rows that a span of the window's size can hold there is one window. A row updates
//! the windows that hold it, and makes those that it is the first to need: its own, which ends at
//! it; the one after an earlier row; and the one after itself, a copy without it. Rows without a
//! key or a value are passed over. Both ends of a window belong to it.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use crate::codec::windowed_key;
use crate::pass::Pass;
use crate::pass::trouble::Trouble;

use super::Emitted;
use super::program::{Known, Program};
use super::windowed::{Taken, Windowing, Work};

/// Size and grace.
pub(super) struct Sliding {
    pub(super) size: i64,
    pub(super) grace: i64,
}

/// A window's aggregate in the plan.
#[derive(Clone)]
struct Aggregate {
    known: Known,
    timestamp: i64,
}

/// A window that a row updates or makes.
pub(super) struct Touch {
    start: i64,
    new: Aggregate,
    /// What it was; `None`: it is made.
    old: Option<Known>,
}

/// The windows as they will be.
#[derive(Default)]
pub(super) struct Ahead {
    keys: HashMap<Vec<u8>, BTreeMap<i64, Aggregate>>,
    /// The highest start; `None`: not looked up yet.
    last: Option<i64>,
}

impl Windowing for Sliding {
    type Ahead = Ahead;
    type Change = Vec<Touch>;

    fn plan(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        (taken, in_call): (&Taken, usize),
        ahead: &mut Ahead,
        program: &mut Program,
    ) -> Result<Option<Vec<Touch>>, Trouble> {
        let t = work.rows.timestamps[taken.row];
        let close = taken.stream_time.saturating_sub(self.grace);
        if t.saturating_add(self.size) < close {
            return Ok(None);
        }
        let windows = self.windows(pass, work, taken, ahead)?;
        let mut row = Row {
            size: self.size,
            t,
            close,
            call: (in_call, taken.input),
            program,
            touched: Vec::new(),
        };
        if t < self.size {
            row.early(&windows);
        } else {
            row.usual(&windows);
        }
        let touched = row.touched;
        let key = work.rows.keys.get(taken.row).expect("taken rows have keys");
        let known = ahead.keys.entry(key.to_vec()).or_default();
        for touch in &touched {
            known.insert(touch.start, touch.new.clone());
            ahead.last = ahead.last.max(Some(touch.start));
        }
        Ok(Some(touched))
    }

    fn apply(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        (row, touched): (usize, &Vec<Touch>),
        states: &[Option<Vec<u8>>],
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let key = work.rows.keys.get(row).expect("taken rows have keys");
        let (windows, overlay) = pass.windows(work.node);
        for Touch { start, new, old } in touched {
            let value = new.known.value(states);
            let place = work.places.row(row);
            windows.put(overlay, place, (key, *start), value, new.timestamp)?;
            if work.on_close.is_some() {
                match value {
                    Some(_) if old.is_none() => windows.open(overlay, place, (key, *start)),
                    Some(_) => {}
                    None => windows.forget(overlay, place, (key, *start)),
                }
                continue;
            }
            let windowed = windowed_key(key, *start);
            let old = old.as_ref().and_then(|old| old.value(states));
            let change = (value, old);
            emitted.push_change(work.rows, row, Some(&windowed), change, new.timestamp);
        }
        Ok(())
    }
}

impl Sliding {
    /// The key's windows that the row may touch or learn from, by start: those of the store, and
    /// what the plan makes of them, as far as the store has them still.
    fn windows(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        taken: &Taken,
        ahead: &mut Ahead,
    ) -> Result<BTreeMap<i64, Aggregate>, Trouble> {
        let key = work.rows.keys.get(taken.row).expect("taken rows have keys");
        let t = work.rows.timestamps[taken.row];
        let (windows, overlay) = pass.windows(work.node);
        let last = ahead.last.max(windows.last(overlay)?);
        ahead.last = last;
        let Some(last) = last else {
            return Ok(BTreeMap::new());
        };
        let twice = self.size.saturating_mul(2);
        let from = t.saturating_sub(twice).max(0).max(windows.floor(last));
        let to = t.saturating_add(1);
        let mut found = BTreeMap::new();
        windows.fetch_range(
            overlay,
            key,
            (from, to),
            false,
            &mut |start, value, timestamp| {
                let known = Known::Value(value.to_vec());
                found.insert(start, Aggregate { known, timestamp });
                ControlFlow::Continue(())
            },
        )?;
        let planned = ahead.keys.get(key).into_iter().flatten();
        for (&start, aggregate) in planned.filter(|(start, _)| (from..=to).contains(*start)) {
            found.insert(start, aggregate.clone());
        }
        Ok(found)
    }
}

/// One row's part of the plan.
struct Row<'a> {
    size: i64,
    t: i64,
    close: i64,
    /// Its number in the call, and the input that it came by.
    call: (usize, u8),
    program: &'a mut Program,
    touched: Vec<Touch>,
}

impl Row<'_> {
    /// A row that windows may begin before.
    fn usual(&mut self, windows: &BTreeMap<i64, Aggregate>) {
        let (t, size) = (self.t, self.size);
        let own_start = t.saturating_sub(size);
        // The last row before this one, and the window that tells of it.
        let (mut previous, mut left) = (None, None);
        // The first window that holds the row, as it was.
        let mut right = None;
        for (&start, window) in windows.range(..=t).rev() {
            if start > own_start {
                right = right.or(Some(window));
                self.update(start, window);
            } else if start == own_start {
                self.update(start, window);
                if window.timestamp >= t {
                    return;
                }
                previous = Some(window.timestamp);
            } else {
                previous = Some(window.timestamp);
                left = Some(window);
                break;
            }
        }
        if let Some(previous) = previous {
            let start = previous.saturating_add(1);
            if !windows.contains_key(&start) && start.saturating_add(size) > t {
                self.make(start, None);
            }
        }
        if !windows.contains_key(&own_start) {
            let near = previous.is_some_and(|previous| previous >= own_start);
            self.make(own_start, left.filter(|_| near));
        }
        self.copy_after(windows, right);
    }

    /// A row before the first window's end: that window begins at 0 and ends after it.
    fn early(&mut self, windows: &BTreeMap<i64, Aggregate>) {
        let t = self.t;
        let first = windows.get(&0);
        let previous = first
            .map(|first| first.timestamp)
            .filter(|&previous| previous < t);
        let mut right = None;
        for (&start, window) in windows.range(1..t.saturating_add(1).max(1)) {
            right = Some(window);
            self.update(start, window);
        }
        let right = right.or(first.filter(|first| first.timestamp > t));
        self.copy_after(windows, right);
        if let Some(previous) = previous {
            let start = previous.saturating_add(1);
            if !windows.contains_key(&start) {
                self.make(start, None);
            }
        }
        match first {
            Some(first) => self.update(0, first),
            None => self.make(0, None),
        }
    }

    /// The window just after the row: what `right` was before the row, if a later row is in it.
    fn copy_after(&mut self, windows: &BTreeMap<i64, Aggregate>, right: Option<&Aggregate>) {
        let start = self.t.saturating_add(1);
        if let Some(right) = right.filter(|right| right.timestamp > self.t)
            && !windows.contains_key(&start)
        {
            self.touch(start, None, |_| right.clone());
        }
    }

    fn update(&mut self, start: i64, window: &Aggregate) {
        let (t, call) = (self.t, self.call);
        self.touch(start, Some(window), |program| Aggregate {
            known: program.add(Some(window.known.clone()), call),
            timestamp: window.timestamp.max(t),
        });
    }

    /// Makes a window of the row alone, or of another's aggregate and the row.
    fn make(&mut self, start: i64, of: Option<&Aggregate>) {
        let (t, call) = (self.t, self.call);
        self.touch(start, None, |program| Aggregate {
            known: program.add(of.map(|of| of.known.clone()), call),
            timestamp: t,
        });
    }

    /// A window that has closed stays as it is.
    fn touch(
        &mut self,
        start: i64,
        old: Option<&Aggregate>,
        new: impl FnOnce(&mut Program) -> Aggregate,
    ) {
        if start.saturating_add(self.size) >= self.close {
            let new = new(self.program);
            let old = old.map(|old| old.known.clone());
            self.touched.push(Touch { start, new, old });
        }
    }
}
