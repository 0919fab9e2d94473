//! Sessions: windows that end a gap after their last row, and merge when a row closes the gap
//! between them.
//!
//! A row takes away the sessions that it merges, each with a tombstone, and makes one of them and
//! itself. Null values are taken. A row is late if the session that it would belong to has closed.

use std::collections::HashMap;

use crate::codec::session_key;
use crate::pass::Pass;
use crate::pass::trouble::Trouble;
use crate::store::session::Session;

use super::Emitted;
use super::program::{Known, Program};
use super::windowed::{Taken, Windowing, Work};

/// Gap and grace.
pub(super) struct Sessions {
    pub(super) gap: i64,
    pub(super) grace: i64,
}

/// A session of the plan.
#[derive(Clone)]
pub(super) struct Planned {
    start: i64,
    end: i64,
    known: Known,
}

/// What a row does.
pub(super) struct Change {
    /// The sessions that it merges, by end.
    old: Vec<Planned>,
    new: Planned,
}

/// The sessions as they will be.
#[derive(Default)]
pub(super) struct Ahead {
    keys: HashMap<Vec<u8>, Changed>,
    /// The highest end; `None`: not looked up yet.
    last: Option<i64>,
}

/// What a plan does to the sessions of one key.
#[derive(Default)]
struct Changed {
    /// Made and not yet merged into another.
    made: Vec<Planned>,
    /// Of the store, but replaced: start, end.
    gone: Vec<(i64, i64)>,
}

impl Windowing for Sessions {
    type Ahead = Ahead;
    type Change = Change;

    fn plan(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        (taken, in_call): (&Taken, usize),
        ahead: &mut Ahead,
        program: &mut Program,
    ) -> Result<Option<Change>, Trouble> {
        let Sessions { gap, grace } = *self;
        let key = work.rows.keys.get(taken.row).expect("taken rows have keys");
        let t = work.rows.timestamps[taken.row];
        let (sessions, overlay) = pass.sessions(work.node);
        let last = match ahead.last {
            Some(last) => last,
            None => sessions.last(overlay)?.unwrap_or(i64::MIN),
        };
        let (earliest, latest) = (t.saturating_sub(gap), t.saturating_add(gap));
        let stored = sessions.find(overlay, key, earliest, latest)?;
        let kept = last.saturating_sub(gap.saturating_add(grace));
        let old = ahead.overlapping(key, (earliest.max(kept), latest), stored);
        let start = old.iter().map(|session| session.start).fold(t, i64::min);
        let end = old.iter().map(|session| session.end).fold(t, i64::max);
        ahead.last = Some(last);
        if end < taken.stream_time.saturating_sub(grace).saturating_sub(gap) {
            return Ok(None);
        }
        let mut state = None;
        for session in &old {
            state = Some(program.merge(state, session.known.clone(), in_call));
        }
        let known = program.add(state, (in_call, taken.input));
        let new = Planned { start, end, known };
        ahead.replace(key, &old, new.clone());
        ahead.last = Some(last.max(end));
        Ok(Some(Change { old, new }))
    }

    fn apply(
        &self,
        pass: &mut Pass<'_>,
        work: &Work<'_>,
        (row, change): (usize, &Change),
        states: &[Option<Vec<u8>>],
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let key = work.rows.keys.get(row).expect("taken rows have keys");
        let t = work.rows.timestamps[row];
        let place = work.places.row(row);
        let Planned { start, end, known } = &change.new;
        let same = (*start, *end) == (t, t);
        let (sessions, overlay) = pass.sessions(work.node);
        if !same {
            for old in &change.old {
                sessions.put(overlay, place, key, (old.start, old.end), None)?;
                if work.on_close.is_some() {
                    sessions.forget(overlay, place, key, (old.start, old.end));
                    continue;
                }
                let windowed = session_key(key, old.start, old.end);
                let change = (None, old.known.value(states));
                emitted.push_change(work.rows, row, Some(&windowed), change, old.end);
            }
        }
        let value = known.value(states);
        sessions.put(overlay, place, key, (*start, *end), value)?;
        if work.on_close.is_some() {
            match value {
                Some(_) => sessions.open(overlay, place, key, (*start, *end)),
                None => sessions.forget(overlay, place, key, (*start, *end)),
            }
            return Ok(());
        }
        let windowed = session_key(key, *start, *end);
        let old = change.old.first().filter(|_| same);
        let change = (value, old.and_then(|old| old.known.value(states)));
        emitted.push_change(work.rows, row, Some(&windowed), change, *end);
        Ok(())
    }
}

impl Ahead {
    /// A key's sessions with end and start in these bounds, by end: those of the store that the
    /// plan has left there, and its own.
    fn overlapping(
        &self,
        key: &[u8],
        (earliest_end, latest_start): (i64, i64),
        stored: Vec<Session>,
    ) -> Vec<Planned> {
        let near = |start: i64, end: i64| end >= earliest_end && start <= latest_start;
        let changed = self.keys.get(key);
        let gone =
            |s: &Session| changed.is_some_and(|changed| changed.gone.contains(&(s.start, s.end)));
        let mut old: Vec<Planned> = stored
            .into_iter()
            .filter(|s| near(s.start, s.end) && !gone(s))
            .map(|s| Planned {
                start: s.start,
                end: s.end,
                known: Known::Value(s.value),
            })
            .collect();
        let own = changed.iter().flat_map(|changed| &changed.made);
        old.extend(own.filter(|s| near(s.start, s.end)).cloned());
        old.sort_by_key(|session| (session.end, session.start));
        old
    }

    fn replace(&mut self, key: &[u8], old: &[Planned], new: Planned) {
        let changed = self.keys.entry(key.to_vec()).or_default();
        for session in old {
            let bounds = (session.start, session.end);
            changed.made.retain(|made| (made.start, made.end) != bounds);
            changed.gone.push(bounds);
        }
        changed.gone.push((new.start, new.end));
        changed.made.push(new);
    }
}
