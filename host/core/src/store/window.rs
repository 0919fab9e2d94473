//! Window stores: an aggregate for each key and window start.
//!
//! A window's length is the operator's affair; the store knows starts. Readers see exactly the
//! windows that its retention keeps, by the highest start ever written. Windows that are to be sent
//! when they close are noted in an index of their own, and stay until they were taken from it,
//! however far the row at hand moved time.

use std::ops::{Bound, ControlFlow};

use super::overlay::Overlay;
use super::segments::{ENTRIES, Segments, segment_key};
use super::{Backend, Entries, Error, KeyRange, StoreId};
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

    /// The lowest start that readers see once `last` is the highest.
    pub fn floor(&self, last: i64) -> i64 {
        self.segments.floor(last)
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
        self.segments
            .put(overlay, place, (key, [start]), value, timestamp)
    }

    /// A window's aggregate and timestamp.
    pub fn fetch(
        &mut self,
        overlay: &Overlay,
        key: &[u8],
        start: i64,
    ) -> Result<Option<(Vec<u8>, i64)>, Error> {
        match self.segments.header(overlay)? {
            Some(header) if start >= self.segments.floor(header.last) => {
                overlay.get(self.segments.store, &header.entry_key(key, [start]))
            }
            _ => Ok(None),
        }
    }

    /// The aggregates of many windows, by their keys as topics carry them, in their order. One
    /// look-up below. Null where the key is null or none of a window.
    pub fn fetch_many(&mut self, overlay: &Overlay, keys: &Column) -> Result<Entries, Error> {
        self.segments.fetch_many::<1>(overlay, keys)
    }

    /// As [`WindowStore::fetch_many`], each key as of its row's place: with the windows, and the
    /// retention, that readers saw there.
    pub fn fetch_many_as_of<'p>(
        &mut self,
        overlay: &Overlay,
        keys: &Column,
        place_of: impl Fn(usize) -> &'p [u32],
    ) -> Result<Entries, Error> {
        self.segments.fetch_many_as_of::<1>(overlay, keys, place_of)
    }

    /// Where the committed windows of these keys, as topics carry them, lie in the backend; null
    /// for what readers do not see. `None`: nothing was ever written, so nobody knows.
    pub fn committed_keys(
        &self,
        backend: &dyn Backend,
        keys: &Column,
    ) -> Result<Option<Column>, Error> {
        self.segments.committed_keys::<1>(backend, keys)
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
        let (from, to) = (
            from.max(self.segments.floor(header.last)),
            to.min(header.last),
        );
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

    /// Notes that the window is to be taken when it closes.
    pub fn open(&mut self, overlay: &mut Overlay, place: &[u32], (key, start): (&[u8], i64)) {
        self.segments.open(overlay, place, start, key);
    }

    /// Takes back [`WindowStore::open`]: the window is gone.
    pub fn forget(&mut self, overlay: &mut Overlay, place: &[u32], (key, start): (&[u8], i64)) {
        self.segments.forget(overlay, place, start, key);
    }

    /// Takes the open windows that start before `before`, in the order of start, then key bytes;
    /// they stay in the store as long as it keeps them. Costs nothing while the earliest is known
    /// to be later, else a seek and a look-up of what is taken.
    pub fn take_closed(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        before: i64,
    ) -> Result<Vec<Window>, Error> {
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
            keys.push(Some(&header.entry_key(&open.rest, [open.time])));
        }
        let entries = overlay.get_many(self.segments.store, &keys)?;
        let found = closed
            .into_iter()
            .zip(entries.values.iter().zip(entries.timestamps));
        let windows = found.filter_map(|(open, (value, timestamp))| {
            Some(Window {
                key: open.rest,
                start: open.time,
                value: value?.to_vec(),
                timestamp,
            })
        });
        Ok(windows.collect())
    }

    /// All windows that readers see, in the order of start, then key bytes. A scan of the store.
    pub fn all(&mut self, overlay: &mut Overlay) -> Result<Vec<Window>, Error> {
        let mut windows = Vec::new();
        let Some(header) = self.segments.header(overlay)? else {
            return Ok(windows);
        };
        let floor = self.segments.floor(header.last);
        let start = segment_key(header.segment(floor));
        let range = KeyRange {
            start: Bound::Included(&start),
            end: Bound::Excluded(&[ENTRIES + 1]),
            reverse: false,
        };
        let mut corrupted = false;
        overlay.range(self.segments.store, range, &mut |key, value, timestamp| {
            match window(key, value, timestamp) {
                None => corrupted = true,
                Some(window) if window.start >= floor => windows.push(window),
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
        windows.sort_unstable_by(|a, b| (a.start, &a.key).cmp(&(b.start, &b.key)));
        Ok(windows)
    }

    /// Deletes the segments that nobody sees any more and that have no open window. Call it before
    /// a commit.
    pub fn expire(&mut self, overlay: &mut Overlay) -> Result<(), Error> {
        self.segments.expire(overlay, super::LAST_PLACE)
    }
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
