//! Session stores: an aggregate for each key and session, a session being the times of its first
//! and last row.
//!
//! Sessions lie by their end. Readers see exactly those that end at or after the highest end ever
//! written, less the retention; only [`SessionStore::ending`] sees what the store still holds
//! beside them, so that each is sent when it closes.

use std::ops::{Bound, ControlFlow};

use super::overlay::Overlay;
use super::segments::{ENTRIES, Header, Retention, Segments, prefix, segment_key};
use super::{Error, KeyRange, StoreId};
use crate::codec::{ordered, take_escaped, take_ordered};

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
        let header = self.segments.observe(overlay, place, end)?;
        if end >= self.segments.floor(&header) {
            overlay.put(
                self.segments.store,
                place,
                &entry_key(&header, key, start, end),
                value,
                end,
            );
        }
        Ok(())
    }

    /// A session's aggregate.
    pub fn fetch(
        &mut self,
        overlay: &Overlay,
        key: &[u8],
        (start, end): (i64, i64),
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.segments.header(overlay)? {
            Some(header) if end >= self.segments.floor(&header) => {
                let key = entry_key(&header, key, start, end);
                Ok(overlay
                    .get(self.segments.store, &key)?
                    .map(|(value, _)| value))
            }
            _ => Ok(None),
        }
    }

    /// As [`SessionStore::fetch`], as of a place, for a reader that is not the store's operator.
    pub fn fetch_as_of(
        &self,
        overlay: &Overlay,
        key: &[u8],
        (start, end): (i64, i64),
        place: &[u32],
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.segments.header_as_of(overlay, place)? {
            Some(header) if end >= self.segments.floor(&header) => {
                let key = entry_key(&header, key, start, end);
                let found = overlay.get_as_of(self.segments.store, &key, place)?;
                Ok(found.map(|(value, _)| value))
            }
            _ => Ok(None),
        }
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
        let from = earliest_end.max(self.segments.floor(&header));
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

    /// The sessions that end in `[from, to]`, retained or not yet deleted, in the order of end,
    /// start, key bytes: what closes when sessions close. Cost: a scan of the segments between.
    pub fn ending(
        &mut self,
        overlay: &mut Overlay,
        from: i64,
        to: i64,
    ) -> Result<Vec<Session>, Error> {
        let mut sessions = Vec::new();
        let Some(header) = self.segments.header(overlay)? else {
            return Ok(sessions);
        };
        let start = segment_key(header.segment(from));
        let end = segment_key(header.segment(to).saturating_add(1));
        let range = KeyRange {
            start: Bound::Included(&start),
            end: Bound::Excluded(&end),
            reverse: false,
        };
        let mut corrupted = false;
        overlay.range(self.segments.store, range, &mut |key, value, _| {
            match session(key, value) {
                None => corrupted = true,
                Some(session) if (from..=to).contains(&session.end) => sessions.push(session),
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

    /// All sessions that readers see, in the order of end, start, key bytes.
    pub fn all(&mut self, overlay: &mut Overlay) -> Result<Vec<Session>, Error> {
        match self.segments.header(overlay)? {
            Some(header) => self.ending(overlay, self.segments.floor(&header), header.last),
            None => Ok(Vec::new()),
        }
    }

    /// Deletes the segments that nobody sees any more. Call it before a commit, when all that
    /// closed was sent.
    pub fn expire(&mut self, overlay: &mut Overlay) -> Result<(), Error> {
        self.segments.expire(overlay, super::LAST_PLACE)
    }
}

fn entry_key(header: &Header, key: &[u8], start: i64, end: i64) -> Vec<u8> {
    let mut bytes = header.prefix(end, key);
    bytes.extend(ordered(end));
    bytes.extend(ordered(start));
    bytes
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
