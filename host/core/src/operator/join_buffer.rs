//! The buffer of a stream-table join with grace: stream rows wait until the table is surely up to
//! their time.
//!
//! Let H be the highest timestamp of the rows kept so far, a row's own included. A row waits until
//! H - grace reaches its timestamp, and leaves in the order of timestamp, key bytes, arrival, with
//! its own headers; one that is older than H - grace when it comes does not wait. H and the next
//! arrival's number are an entry of the store itself.

use std::ops::{Bound, ControlFlow};

use crate::codec::{ordered, push_escaped, take_escaped, take_ordered};
use crate::record::Batch;
use crate::store::{self, KeyRange, Overlay, StoreId};

/// The key of H (the entry's timestamp) and the number of arrivals (its value).
const HIGHEST: &[u8] = &[0];
/// The first byte of rows.
const ROWS: u8 = 1;

/// The way to the rows that wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinBuffer {
    pub(super) store: StoreId,
    pub(super) grace: i64,
}

/// Rows that leave, each with the row at hand that let it go.
#[derive(Default)]
pub(super) struct Released {
    pub(super) rows: Batch,
    pub(super) parents: Vec<u32>,
}

impl JoinBuffer {
    /// Takes a row; adds those that leave now to `released`, be it the row itself. One look-up and
    /// one seek.
    pub(super) fn take(
        &self,
        overlay: &mut Overlay,
        (rows, row): (&Batch, usize),
        place: &[u32],
        released: &mut Released,
    ) -> Result<(), store::Error> {
        let (timestamp, parent) = (rows.timestamps[row], super::emitted::number(row));
        let before = overlay.get(self.store, HIGHEST)?;
        let arrival = match &before {
            Some((arrivals, _)) => {
                i64::from_be_bytes(arrivals[..].try_into().map_err(|_| self.corrupted())?)
            }
            None => 0,
        };
        let highest = before.map(|(_, highest)| highest);
        if highest.is_some_and(|highest| timestamp < highest.saturating_sub(self.grace)) {
            released.rows.push_row_of(rows, row);
            released.parents.push(parent);
            return Ok(());
        }
        let highest = highest.map_or(timestamp, |highest| highest.max(timestamp));
        let arrivals = (arrival + 1).to_be_bytes();
        overlay.put(self.store, place, HIGHEST, Some(&arrivals), highest);
        let entry = entry_key(rows.keys.get(row), timestamp, arrival);
        overlay.put(
            self.store,
            place,
            &entry,
            Some(&encode(rows, row)),
            timestamp,
        );
        self.release(
            overlay,
            highest.saturating_sub(self.grace),
            (place, parent),
            released,
        )
    }

    fn release(
        &self,
        overlay: &mut Overlay,
        up_to: i64,
        (place, parent): (&[u32], u32),
        released: &mut Released,
    ) -> Result<(), store::Error> {
        let end = [&[ROWS], &ordered(up_to)[..], &[u8::MAX]].concat();
        let range = KeyRange {
            start: Bound::Included(&[ROWS]),
            end: Bound::Excluded(&end),
            reverse: false,
        };
        let (mut gone, mut corrupted) = (Vec::new(), false);
        overlay.range(self.store, range, &mut |entry, value, timestamp| {
            if push_decoded(&mut released.rows, entry, value, timestamp).is_none() {
                corrupted = true;
                return ControlFlow::Break(());
            }
            released.parents.push(parent);
            gone.push(entry.to_vec());
            ControlFlow::Continue(())
        })?;
        if corrupted {
            return Err(self.corrupted());
        }
        for entry in gone {
            overlay.put(self.store, place, &entry, None, up_to);
        }
        Ok(())
    }

    fn corrupted(&self) -> store::Error {
        store::Error {
            store: self.store.0.to_string(),
            reason: "an entry is no row that waits; wipe the store and restore it".into(),
        }
    }
}

/// By timestamp, key (none first), arrival.
fn entry_key(key: Option<&[u8]>, timestamp: i64, arrival: i64) -> Vec<u8> {
    let mut bytes = vec![ROWS];
    bytes.extend(ordered(timestamp));
    bytes.push(u8::from(key.is_some()));
    push_escaped(&mut bytes, key.unwrap_or_default());
    bytes.extend(ordered(arrival));
    bytes
}

/// Headers (a count, then names and values, each after its length; -1: null), then the value; all
/// numbers 4 bytes, big-endian.
fn encode(rows: &Batch, row: usize) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    let mut count = 0_u32;
    for (name, value) in rows.headers.iter().flat_map(|headers| headers.row(row)) {
        count += 1;
        for part in [Some(name.as_bytes()), value] {
            let length = part.map_or(-1, |part| {
                i32::try_from(part.len()).expect("a header stays below 2 GiB")
            });
            bytes.extend(length.to_be_bytes());
            bytes.extend(part.unwrap_or_default());
        }
    }
    bytes[..4].copy_from_slice(&count.to_be_bytes());
    bytes.extend(
        rows.values
            .get(row)
            .expect("rows without a value do not wait"),
    );
    bytes
}

fn push_decoded(rows: &mut Batch, entry: &[u8], bytes: &[u8], timestamp: i64) -> Option<()> {
    let (_, rest) = take_ordered(entry.get(1..)?)?;
    let (has_key, rest) = rest.split_first()?;
    let (key, _) = take_escaped(rest)?;
    let (count, mut rest) = bytes.split_first_chunk()?;
    let mut part = || {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (part, after) = after.split_at_checked(length.unwrap_or(0))?;
        rest = after;
        Some(length.map(|_| part))
    };
    let mut headers = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let name = std::str::from_utf8(part()??).ok()?;
        headers.push((name, part()?));
    }
    let key = (*has_key == 1).then_some(&key[..]);
    rows.push_with_headers(key, Some(rest), timestamp, headers);
    Some(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::store::MemoryBackend;

    #[test]
    fn rows_leave_in_the_order_of_time_with_their_headers() {
        let mut overlay = Overlay::new(Box::new(MemoryBackend::default()), &[false]);
        let buffer = JoinBuffer {
            store: StoreId(0),
            grace: 10,
        };
        let mut rows = Batch::default();
        rows.push_with_headers(
            Some(b"a"),
            Some(b"5"),
            5,
            [("h", None), ("", Some(&b"x"[..]))],
        );
        rows.push(None, Some(b"3"), 3);
        rows.push(Some(b"a"), Some(b"15"), 15);
        rows.push(Some(b"a"), Some(b"4"), 4);
        let mut released = Released::default();
        for row in 0..rows.len() {
            buffer
                .take(&mut overlay, (&rows, row), &[0], &mut released)
                .unwrap();
        }
        assert_eq!(released.rows, rows.select(&[1, 0, 3]));
        assert_eq!(released.parents, [2, 2, 3]);
    }
}
