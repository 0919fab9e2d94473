//! Window stores: an aggregate for each key and window start.
//!
//! A window's length is the operator's affair; the store knows starts. Readers see exactly the
//! windows that its retention keeps, by the highest start ever written; only
//! [`WindowStore::starting`] sees what the store still holds beside them, so that a window can be
//! sent when it closes, however far the row at hand moved time.

use std::ops::{Bound, ControlFlow};

use super::overlay::Overlay;
use super::segments::{ENTRIES, Header, Segments, segment_key};
use super::{Entries, Error, KeyRange, StoreId};
use crate::codec::{ordered, take_escaped, take_ordered};
use crate::record::Column;

pub use super::segments::Retention;

/// The windows of one store. Entries live in the overlay; this is the way to them.
#[derive(Debug)]
pub struct WindowStore {
    segments: Segments,
}

/// A window and its aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The plain key.
    pub key: Vec<u8>,
    /// Milliseconds since the epoch.
    pub start: i64,
    /// The aggregate.
    pub value: Vec<u8>,
    /// The aggregate's timestamp.
    pub timestamp: i64,
}

/// A visitor of one key's windows: start, value, timestamp.
pub type VisitWindows<'a> = dyn FnMut(i64, &[u8], i64) -> ControlFlow<()> + 'a;

impl WindowStore {
    /// The way to the windows of `store`.
    pub fn new(store: StoreId, retention: Retention) -> WindowStore {
        WindowStore {
            segments: Segments::new(store, retention),
        }
    }

    /// The highest start ever written.
    pub fn last(&mut self, overlay: &Overlay) -> Result<Option<i64>, Error> {
        Ok(self.segments.header(overlay)?.map(|header| header.last))
    }

    /// Puts a window's aggregate, or deletes it. A window older than the retention is not kept.
    pub fn put(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        (key, start): (&[u8], i64),
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<(), Error> {
        let header = self.segments.observe(overlay, place, start)?;
        if start >= self.segments.floor(&header) {
            let key = entry_key(&header, key, start);
            overlay.put(self.segments.store, place, &key, value, timestamp);
        }
        Ok(())
    }

    /// A window's aggregate and timestamp.
    pub fn fetch(
        &mut self,
        overlay: &Overlay,
        key: &[u8],
        start: i64,
    ) -> Result<Option<(Vec<u8>, i64)>, Error> {
        match self.segments.header(overlay)? {
            Some(header) if start >= self.segments.floor(&header) => {
                overlay.get(self.segments.store, &entry_key(&header, key, start))
            }
            _ => Ok(None),
        }
    }

    /// As [`WindowStore::fetch`], as of a place, for a reader that is not the store's operator.
    pub fn fetch_as_of(
        &self,
        overlay: &Overlay,
        key: &[u8],
        start: i64,
        place: &[u32],
    ) -> Result<Option<(Vec<u8>, i64)>, Error> {
        match self.segments.header_as_of(overlay, place)? {
            Some(header) if start >= self.segments.floor(&header) => {
                let key = entry_key(&header, key, start);
                overlay.get_as_of(self.segments.store, &key, place)
            }
            _ => Ok(None),
        }
    }

    /// The aggregates of many windows, as pairs of a key and a start, in their order. One look-up
    /// below. A null key has none.
    pub fn fetch_many(
        &mut self,
        overlay: &Overlay,
        keys: &Column,
        starts: &[i64],
    ) -> Result<Entries, Error> {
        let Some(header) = self.segments.header(overlay)? else {
            let timestamps = vec![0; keys.len()];
            return Ok(Entries {
                values: Column::nulls(keys.len()),
                timestamps,
            });
        };
        let floor = self.segments.floor(&header);
        let mut asked = Column::with_capacity(keys.len(), keys.bytes().len() + 19 * keys.len());
        for (key, &start) in keys.iter().zip(starts) {
            let key = key
                .filter(|_| start >= floor)
                .map(|key| entry_key(&header, key, start));
            asked.push(key.as_deref());
        }
        overlay.get_many(self.segments.store, &asked)
    }

    /// Visits a key's windows that start in `[from, to]`, by start (from the highest down with
    /// `reverse`), until the visitor breaks. One seek a segment that the retention keeps.
    pub fn fetch_range(
        &mut self,
        overlay: &mut Overlay,
        key: &[u8],
        (from, to): (i64, i64),
        reverse: bool,
        visit: &mut VisitWindows<'_>,
    ) -> Result<(), Error> {
        let Some(header) = self.segments.header(overlay)? else {
            return Ok(());
        };
        let (from, to) = (from.max(self.segments.floor(&header)), to.min(header.last));
        if from > to {
            return Ok(());
        }
        let (first, last) = (header.segment(from), header.segment(to));
        let mut stopped = false;
        for step in 0..=last - first {
            let segment = if reverse { last - step } else { first + step };
            let mut start = super::segments::prefix(segment, key);
            let mut end = start.clone();
            let prefix = start.len();
            start.extend(ordered(from));
            end.extend(ordered(to));
            let range = KeyRange {
                start: Bound::Included(&start),
                end: Bound::Included(&end),
                reverse,
            };
            overlay.range(self.segments.store, range, &mut |key, value, timestamp| {
                let Some((start, _)) = take_ordered(&key[prefix..]) else {
                    return ControlFlow::Continue(());
                };
                let flow = visit(start, value, timestamp);
                stopped = flow.is_break();
                flow
            })?;
            if stopped {
                break;
            }
        }
        Ok(())
    }

    /// The windows that start in `[from, to]`, retained or not yet deleted, in the order of start,
    /// then key bytes: what closes when windows close. Cost: a scan of the segments between.
    pub fn starting(
        &mut self,
        overlay: &mut Overlay,
        from: i64,
        to: i64,
    ) -> Result<Vec<Window>, Error> {
        let mut windows = self.scan(overlay, from, to)?;
        windows.sort_unstable_by(|a, b| (a.start, &a.key).cmp(&(b.start, &b.key)));
        Ok(windows)
    }

    /// All windows that readers see, in the order of start, then key bytes.
    pub fn all(&mut self, overlay: &mut Overlay) -> Result<Vec<Window>, Error> {
        match self.segments.header(overlay)? {
            Some(header) => self.starting(overlay, self.segments.floor(&header), header.last),
            None => Ok(Vec::new()),
        }
    }

    /// Deletes the segments that nobody sees any more. Call it before a commit, when all that
    /// closed was sent.
    pub fn expire(&mut self, overlay: &mut Overlay) -> Result<(), Error> {
        self.segments.expire(overlay, super::LAST_PLACE)
    }

    fn scan(&mut self, overlay: &mut Overlay, from: i64, to: i64) -> Result<Vec<Window>, Error> {
        let mut windows = Vec::new();
        let Some(header) = self.segments.header(overlay)? else {
            return Ok(windows);
        };
        let start = segment_key(header.segment(from));
        let end = segment_key(header.segment(to).saturating_add(1));
        let range = KeyRange {
            start: Bound::Included(&start),
            end: Bound::Excluded(&end),
            reverse: false,
        };
        let mut corrupted = false;
        overlay.range(self.segments.store, range, &mut |key, value, timestamp| {
            match window(key, value, timestamp) {
                None => corrupted = true,
                Some(window) if (from..=to).contains(&window.start) => windows.push(window),
                Some(_) => {}
            }
            if corrupted {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if corrupted {
            Err(self.segments.corrupted())
        } else {
            Ok(windows)
        }
    }
}

fn entry_key(header: &Header, key: &[u8], start: i64) -> Vec<u8> {
    let mut bytes = header.prefix(start, key);
    bytes.extend(ordered(start));
    bytes
}

fn window(bytes: &[u8], value: &[u8], timestamp: i64) -> Option<Window> {
    let (_, rest) = take_ordered(bytes.strip_prefix(&[ENTRIES])?)?;
    let (key, rest) = take_escaped(rest)?;
    let (start, _) = take_ordered(rest)?;
    Some(Window {
        key: key.into_owned(),
        start,
        value: value.to_vec(),
        timestamp,
    })
}

#[cfg(test)]
mod tests;
