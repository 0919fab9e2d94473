//! Join windows: the rows of one side of a stream-stream join that may still find partners, and
//! those that wait for one.
//!
//! Rows of one key and timestamp are all kept, in the order in which they came: each has an arrival
//! number of the store. A row that waits (an outer join's, not joined yet) lies in a list of its
//! own by timestamp, with its value, so that it is sent when it is due though its window may be
//! gone. The store is private to its join: no places, no reads as of one.

use std::ops::{Bound, ControlFlow};

use super::overlay::{LAST_PLACE, Overlay};
use super::segments::{Retention, Segments, WAITING, prefix};
use super::{Error, KeyRange, StoreId};
use crate::codec::{ordered, push_escaped, take_escaped, take_ordered};

/// The rows of one side. Entries live in the overlay; this is the way to them.
#[derive(Debug)]
pub struct JoinWindow {
    segments: Segments,
    /// No row waits with a lower timestamp, as long as the overlay's generation is this.
    earliest: Option<(u64, i64)>,
}

/// A row that has waited in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The row's timestamp.
    pub timestamp: i64,
    /// Its key.
    pub key: Vec<u8>,
    /// Its arrival number on its side.
    pub arrival: i64,
    /// Its value.
    pub value: Vec<u8>,
}

/// A visitor of one key's rows: timestamp, arrival, value.
pub type VisitRows<'a> = dyn FnMut(i64, i64, &[u8]) -> ControlFlow<()> + 'a;

impl JoinWindow {
    /// The way to the rows of `store`: found while younger than the highest timestamp put, less
    /// `retention_ms` (before + after + grace).
    pub fn new(store: StoreId, retention_ms: i64) -> JoinWindow {
        let retention = Retention {
            ms: retention_ms,
            inclusive: false,
        };
        JoinWindow {
            segments: Segments::new(store, retention),
            earliest: None,
        }
    }

    /// Puts a row; answers with its arrival number. One that is too old to be found is not kept.
    pub fn put(
        &mut self,
        overlay: &mut Overlay,
        key: &[u8],
        timestamp: i64,
        value: &[u8],
    ) -> Result<i64, Error> {
        let mut header = self.segments.observe(overlay, LAST_PLACE, timestamp)?;
        let arrival = header.arrivals;
        header.arrivals += 1;
        self.segments.set_header(overlay, LAST_PLACE, &header);
        if timestamp >= self.segments.floor(header.last) {
            let mut entry = prefix(header.segment(timestamp), key);
            entry.extend(ordered(timestamp));
            entry.extend(ordered(arrival));
            overlay.put(
                self.segments.store,
                LAST_PLACE,
                &entry,
                Some(value),
                timestamp,
            );
        }
        Ok(arrival)
    }

    /// Visits a key's rows with timestamps in `[from, to]`, by timestamp, then arrival, until the
    /// visitor breaks. One seek a segment that the retention keeps.
    pub fn fetch(
        &mut self,
        overlay: &mut Overlay,
        key: &[u8],
        (from, to): (i64, i64),
        visit: &mut VisitRows<'_>,
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
        let mut stopped = false;
        for segment in header.segment(from)..=header.segment(to) {
            let mut start = prefix(segment, key);
            let mut end = start.clone();
            let beginning = start.len();
            start.extend(ordered(from));
            end.extend(ordered(to));
            end.extend([u8::MAX; 9]);
            let range = KeyRange {
                start: Bound::Included(&start),
                end: Bound::Excluded(&end),
                reverse: false,
            };
            overlay.range(
                self.segments.store,
                range,
                &mut |entry, value, timestamp| {
                    let arrival =
                        take_ordered(&entry[beginning..]).and_then(|(_, r)| take_ordered(r));
                    let Some((arrival, _)) = arrival else {
                        return ControlFlow::Continue(());
                    };
                    let flow = visit(timestamp, arrival, value);
                    stopped = flow.is_break();
                    flow
                },
            )?;
            if stopped {
                break;
            }
        }
        Ok(())
    }

    /// The row waits for a partner.
    pub fn wait(&mut self, overlay: &mut Overlay, row: &Waiting) {
        let key = waiting_key(row.timestamp, &row.key, row.arrival);
        overlay.put(
            self.segments.store,
            LAST_PLACE,
            &key,
            Some(&row.value),
            row.timestamp,
        );
        if let Some((_, earliest)) = &mut self.earliest {
            *earliest = row.timestamp.min(*earliest);
        }
    }

    /// The row has found one; answers whether it was waiting. One look-up.
    pub fn stop_waiting(
        &mut self,
        overlay: &mut Overlay,
        key: &[u8],
        timestamp: i64,
        arrival: i64,
    ) -> Result<bool, Error> {
        let key = waiting_key(timestamp, key, arrival);
        let waits = overlay.get(self.segments.store, &key)?.is_some();
        if waits {
            overlay.put(self.segments.store, LAST_PLACE, &key, None, timestamp);
        }
        Ok(waits)
    }

    /// Takes the rows that wait with a timestamp below `before`, by timestamp, key bytes, arrival.
    /// Costs nothing while the earliest is known to be later.
    pub fn take_due(&mut self, overlay: &mut Overlay, before: i64) -> Result<Vec<Waiting>, Error> {
        let generation = overlay.generation();
        if let Some((seen, earliest)) = self.earliest
            && seen == generation
            && before <= earliest
        {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        let mut earliest = i64::MAX;
        let mut corrupted = false;
        let range = KeyRange {
            start: Bound::Included(&[WAITING]),
            end: Bound::Excluded(&[WAITING + 1]),
            reverse: false,
        };
        overlay.range(self.segments.store, range, &mut |key, value, timestamp| {
            if timestamp >= before {
                earliest = timestamp;
                return ControlFlow::Break(());
            }
            match waiting(key, value) {
                Some(row) => due.push(row),
                None => corrupted = true,
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
        self.earliest = Some((generation, earliest));
        for row in &due {
            let key = waiting_key(row.timestamp, &row.key, row.arrival);
            overlay.put(self.segments.store, LAST_PLACE, &key, None, row.timestamp);
        }
        Ok(due)
    }

    /// Deletes the segments in which nobody finds a partner any more; rows that wait stay. Call it
    /// before a commit.
    pub fn expire(&mut self, overlay: &mut Overlay) -> Result<(), Error> {
        self.segments.expire(overlay, LAST_PLACE)
    }
}

fn waiting_key(timestamp: i64, key: &[u8], arrival: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + 8 + key.len() + 2 + 8);
    bytes.push(WAITING);
    bytes.extend(ordered(timestamp));
    push_escaped(&mut bytes, key);
    bytes.extend(ordered(arrival));
    bytes
}

fn waiting(bytes: &[u8], value: &[u8]) -> Option<Waiting> {
    let (timestamp, rest) = take_ordered(bytes.strip_prefix(&[WAITING])?)?;
    let (key, rest) = take_escaped(rest)?;
    let (arrival, _) = take_ordered(rest)?;
    Some(Waiting {
        timestamp,
        key: key.into_owned(),
        arrival,
        value: value.to_vec(),
    })
}

#[cfg(test)]
mod tests;
