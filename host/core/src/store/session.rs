//! Session stores: an aggregate for each key and session, a session being the times of its first
//! and last row.
//!
//! Sessions lie by their end. Readers see exactly those that end at or after the highest end ever
//! written, less the retention. Sessions that are to be sent when they close are noted in an index
//! of their own, and stay until they were taken from it.

use std::ops::{Bound, ControlFlow};

use super::overlay::Overlay;
use super::segments::{ENTRIES, Retention, Segments, prefix, segment_key};
use super::{Backend, Entries, Error, KeyRange, StoreId};
use crate::codec::{ordered, take_escaped, take_ordered};
use crate::record::Column;

/// The sessions of one store. Entries live in the overlay; this is the way to them.
#[derive(Debug)]
pub struct SessionStore {
    segments: Segments,
}

/// A session and its aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The plain key.
    pub key: Vec<u8>,
    /// Timestamp of the first row.
    pub start: i64,
    /// Timestamp of the last row.
    pub end: i64,
    /// The aggregate.
    pub value: Vec<u8>,
}

impl SessionStore {
    /// The way to the sessions of `store`, kept for `retention_ms` (gap + grace).
    pub fn new(store: StoreId, retention_ms: i64) -> SessionStore {
        let retention = Retention {
            ms: retention_ms,
            inclusive: true,
        };
        SessionStore {
            segments: Segments::new(store, retention),
        }
    }

    /// The highest end ever written.
    pub fn last(&mut self, overlay: &Overlay) -> Result<Option<i64>, Error> {
        Ok(self.segments.header(overlay)?.map(|header| header.last))
    }

    /// Puts a session's aggregate, or removes the session. One that ended before what is retained
    /// is not kept.
    pub fn put(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        (start, end): (i64, i64),
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.segments
            .put(overlay, place, (key, [end, start]), value, end)
    }

    /// A session's aggregate.
    pub fn fetch(
        &mut self,
        overlay: &Overlay,
        key: &[u8],
        (start, end): (i64, i64),
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.segments.header(overlay)? {
            Some(header) if end >= self.segments.floor(header.last) => {
                let key = header.entry_key(key, [end, start]);
                Ok(overlay
                    .get(self.segments.store, &key)?
                    .map(|(value, _)| value))
            }
            _ => Ok(None),
        }
    }

    /// The aggregates of many sessions, by their keys as topics carry them, each as of its row's
    /// place. One look-up below. Null where the key is null or none of a session.
    pub fn fetch_many_as_of<'p>(
        &mut self,
        overlay: &Overlay,
        keys: &Column,
        place_of: impl Fn(usize) -> &'p [u32],
    ) -> Result<Entries, Error> {
        self.segments.fetch_many_as_of::<2>(overlay, keys, place_of)
    }

    /// Where the committed sessions of these keys, as topics carry them, lie in the backend; null
    /// for what readers do not see. `None`: nothing was ever written, so nobody knows.
    pub fn committed_keys(
        &self,
        backend: &dyn Backend,
        keys: &Column,
    ) -> Result<Option<Column>, Error> {
        self.segments.committed_keys::<2>(backend, keys)
    }

    /// A key's sessions with end >= `earliest_end` and start <= `latest_start` that readers see, by
    /// end: for a row at t, `t - gap` and `t + gap`. One seek a segment between that end and the
    /// highest.
    pub fn find(
        &mut self,
        overlay: &mut Overlay,
        key: &[u8],
        earliest_end: i64,
        latest_start: i64,
    ) -> Result<Vec<Session>, Error> {
        let mut sessions = Vec::new();
        let Some(header) = self.segments.header(overlay)? else {
            return Ok(sessions);
        };
        let from = earliest_end.max(self.segments.floor(header.last));
        if from > header.last {
            return Ok(sessions);
        }
        let mut done = false;
        for segment in header.segment(from)..=header.segment(header.last) {
            let mut start = prefix(segment, key);
            let mut end = start.clone();
            let beginning = start.len();
            start.extend(ordered(from));
            end.extend([u8::MAX; 17]);
            let range = KeyRange {
                start: Bound::Included(&start),
                end: Bound::Excluded(&end),
                reverse: false,
            };
            overlay.range(self.segments.store, range, &mut |entry, value, _| {
                let bounds = bounds(&entry[beginning..]);
                let Some((start, end)) = bounds else {
                    return ControlFlow::Continue(());
                };
                if start <= latest_start {
                    sessions.push(Session {
                        key: key.to_vec(),
                        start,
                        end,
                        value: value.to_vec(),
                    });
                    return ControlFlow::Continue(());
                }
                // A key's sessions do not overlap: the next ones start even later.
                done = true;
                ControlFlow::Break(())
            })?;
            if done {
                break;
            }
        }
        Ok(sessions)
    }

    /// Notes that the session is to be taken when it closes.
    pub fn open(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        (start, end): (i64, i64),
    ) {
        self.segments
            .open(overlay, place, end, &open_rest(key, start));
    }

    /// Takes back [`SessionStore::open`]: the session is gone.
    pub fn forget(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        (start, end): (i64, i64),
    ) {
        self.segments
            .forget(overlay, place, end, &open_rest(key, start));
    }

    /// Takes the open sessions that end before `before`, in the order of end, start, key bytes;
    /// they stay in the store as long as it keeps them. Costs nothing while the earliest is known
    /// to be later, else a seek and a look-up of what is taken.
    pub fn take_closed(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        before: i64,
    ) -> Result<Vec<Session>, Error> {
        let closed = self.segments.take_closed(overlay, place, before)?;
        let Some(header) = self
            .segments
            .header(overlay)?
            .filter(|_| !closed.is_empty())
        else {
            return Ok(Vec::new());
        };
        let mut keys = Column::default();
        for open in &closed {
            let (start, key) = take_ordered(&open.rest).ok_or_else(|| self.segments.corrupted())?;
            keys.push(Some(&header.entry_key(key, [open.time, start])));
        }
        let entries = overlay.get_many(self.segments.store, &keys)?;
        let found = keys.iter().zip(entries.values.iter());
        Ok(found
            .filter_map(|(key, value)| session(key?, value?))
            .collect())
    }

    /// All sessions that readers see, in the order of end, start, key bytes. A scan of the store.
    pub fn all(&mut self, overlay: &mut Overlay) -> Result<Vec<Session>, Error> {
        let mut sessions = Vec::new();
        let Some(header) = self.segments.header(overlay)? else {
            return Ok(sessions);
        };
        let floor = self.segments.floor(header.last);
        let start = segment_key(header.segment(floor));
        let range = KeyRange {
            start: Bound::Included(&start),
            end: Bound::Excluded(&[ENTRIES + 1]),
            reverse: false,
        };
        let mut corrupted = false;
        overlay.range(self.segments.store, range, &mut |key, value, _| {
            match session(key, value) {
                None => corrupted = true,
                Some(session) if session.end >= floor => sessions.push(session),
                Some(_) => {}
            }
            if corrupted {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if corrupted {
            return Err(self.segments.corrupted());
        }
        sessions.sort_unstable_by(|a, b| (a.end, a.start, &a.key).cmp(&(b.end, b.start, &b.key)));
        Ok(sessions)
    }

    /// Deletes the segments that nobody sees any more and that have no open session. Call it before
    /// a commit.
    pub fn expire(&mut self, overlay: &mut Overlay) -> Result<(), Error> {
        self.segments.expire(overlay, super::LAST_PLACE)
    }
}

/// What tells apart the open sessions of one end.
fn open_rest(key: &[u8], start: i64) -> Vec<u8> {
    [&ordered(start), key].concat()
}

/// Start and end.
fn bounds(bytes: &[u8]) -> Option<(i64, i64)> {
    let (end, rest) = take_ordered(bytes)?;
    let (start, _) = take_ordered(rest)?;
    Some((start, end))
}

fn session(bytes: &[u8], value: &[u8]) -> Option<Session> {
    let (_, rest) = take_ordered(bytes.strip_prefix(&[ENTRIES])?)?;
    let (key, rest) = take_escaped(rest)?;
    let (start, end) = bounds(rest)?;
    Some(Session {
        key: key.into_owned(),
        start,
        end,
        value: value.to_vec(),
    })
}

#[cfg(test)]
mod tests;
