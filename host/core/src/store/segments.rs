//! What stores of timed entries have in common: keys cut into segments of time, exact retention,
//! and a record of their own.
//!
//! An entry's key is its segment, then the plain key, then what tells its entries apart: reads of
//! one key touch few places, and what has expired goes whole segments at a time. What readers see
//! is exact all the same: nothing older than the highest time ever written, less the retention.
//! That time, and the length of a segment, are an entry of the store itself (so a restore brings
//! them back, and a new version with another retention still finds its entries).

use std::ops::{Bound, ControlFlow};

use super::layer::Found;
use super::overlay::Overlay;
use super::{Backend, Error, KeyRange, StoreId};
use crate::codec::{ordered, push_escaped, take_ordered};
use crate::record::Column;

/// How long a store of timed entries shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Milliseconds before the highest time ever written.
    pub ms: i64,
    /// Whether an entry exactly that old is still there.
    pub inclusive: bool,
}

/// The store's own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The highest time ever written.
    pub(super) last: i64,
    /// Length of a segment.
    pub(super) interval: i64,
    /// Segments below are gone.
    pub(super) expired: i64,
    /// The next entry's arrival number, where entries have one.
    pub(super) arrivals: i64,
}

/// The key of the store's own record: before all entries.
const HEADER: &[u8] = &[0];

/// The first byte of entries, and of the entries of a join that wait.
pub(super) const ENTRIES: u8 = 1;
pub(super) const WAITING: u8 = 2;
/// The first byte of the index of what has not closed yet.
const OPEN: u8 = 3;

/// As Kafka Streams has it: no segment is shorter.
const SHORTEST_SEGMENT_MS: i64 = 60_000;

#[derive(Debug)]
pub(super) struct Segments {
    pub(super) store: StoreId,
    retention: Retention,
    committed: Option<(u64, Option<Header>)>,
    /// The record in the end, as long as the overlay's generation is this: nobody else writes it.
    latest: Option<(u64, Option<Header>)>,
    /// Where the key of an entry to be put is made.
    pub(super) entry_key: Vec<u8>,
    /// Nothing open has a lower time, as long as the overlay's generation is this.
    earliest: Option<(u64, i64)>,
}

/// What is open: its time, and what tells it apart from others of that time.
pub(super) struct Open {
    pub(super) time: i64,
    pub(super) rest: Vec<u8>,
}

impl Segments {
    pub(super) fn new(store: StoreId, retention: Retention) -> Segments {
        Segments {
            store,
            retention,
            committed: None,
            latest: None,
            entry_key: Vec::new(),
            earliest: None,
        }
    }

    /// The store's record, if anything was ever written.
    pub(super) fn header(&mut self, overlay: &Overlay) -> Result<Option<Header>, Error> {
        let generation = overlay.generation();
        if let Some((seen, header)) = self.latest
            && seen == generation
        {
            return Ok(header);
        }
        let header = self.header_as_of(overlay, None)?;
        self.latest = Some((generation, header));
        Ok(header)
    }

    /// The store's record as of a place; `None`: in the end.
    pub(super) fn header_as_of(
        &mut self,
        overlay: &Overlay,
        place: Option<&[u32]>,
    ) -> Result<Option<Header>, Error> {
        match overlay.written(self.store, HEADER, place) {
            Found::Value(bytes, _) => return self.decode(bytes).map(Some),
            Found::Deleted => return Ok(None),
            Found::Unknown => {}
        }
        let generation = overlay.generation();
        if let Some((seen, header)) = self.committed
            && seen == generation
        {
            return Ok(header);
        }
        // Nothing was written of it, so this is what is committed.
        let header = self.committed_header(overlay.backend())?;
        self.committed = Some((generation, header));
        Ok(header)
    }

    /// The store's record as it is committed.
    pub(super) fn committed_header(&self, backend: &dyn Backend) -> Result<Option<Header>, Error> {
        let keys = Column::from_iter([Some(HEADER)]);
        let entries = backend.get_many(self.store, &keys)?;
        let header = entries.values.get(0).map(|bytes| self.decode(bytes));
        header.transpose()
    }

    /// Notes that something is written at `time`; answers with the record as it is then.
    pub(super) fn observe(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        time: i64,
    ) -> Result<Header, Error> {
        let header = match self.header(overlay)? {
            Some(header) if header.last >= time => return Ok(header),
            Some(header) => Header {
                last: time,
                ..header
            },
            None => {
                let interval = (self.retention.ms / 2).max(SHORTEST_SEGMENT_MS);
                Header {
                    last: time,
                    interval,
                    expired: i64::MIN,
                    arrivals: 0,
                }
            }
        };
        self.set_header(overlay, place, &header);
        Ok(header)
    }

    pub(super) fn set_header(&mut self, overlay: &mut Overlay, place: &[u32], header: &Header) {
        let Header {
            last,
            interval,
            expired,
            arrivals,
        } = *header;
        let bytes = [last, interval, expired, arrivals].map(i64::to_be_bytes);
        overlay.put(self.store, place, HEADER, Some(bytes.as_flattened()), last);
        self.latest = Some((overlay.generation(), Some(*header)));
    }

    /// The lowest time that readers see, `last` being the highest.
    pub(super) fn floor(&self, last: i64) -> i64 {
        let floor = last.saturating_sub(self.retention.ms);
        if self.retention.inclusive {
            floor
        } else {
            floor.saturating_add(1)
        }
    }

    /// Deletes the segments that nobody sees any more, and in which nothing is open.
    pub(super) fn expire(&mut self, overlay: &mut Overlay, place: &[u32]) -> Result<(), Error> {
        let Some(header) = self.header(overlay)? else {
            return Ok(());
        };
        let kept = self.floor(header.last);
        if header.segment(kept) <= header.expired {
            return Ok(());
        }
        let expired = header.segment(kept.min(self.earliest(overlay)?));
        if expired > header.expired {
            overlay.expire(self.store, &[ENTRIES], &segment_key(expired));
            self.set_header(overlay, place, &Header { expired, ..header });
        }
        Ok(())
    }

    /// Notes what will close, in the order of `time`, then of the bytes of `rest`. It keeps its
    /// segment from expiring.
    pub(super) fn open(&mut self, overlay: &mut Overlay, place: &[u32], time: i64, rest: &[u8]) {
        overlay.put(self.store, place, &open_key(time, rest), Some(&[]), time);
        if let Some((_, earliest)) = &mut self.earliest {
            *earliest = time.min(*earliest);
        }
    }

    /// What was noted will not close after all: it is gone.
    pub(super) fn forget(&self, overlay: &mut Overlay, place: &[u32], time: i64, rest: &[u8]) {
        overlay.put(self.store, place, &open_key(time, rest), None, time);
    }

    /// Takes what was noted with a time below `before`, in order. Costs nothing while the earliest
    /// is known to be later, and else one seek and what is taken.
    pub(super) fn take_closed(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        before: i64,
    ) -> Result<Vec<Open>, Error> {
        if before <= self.earliest(overlay)? {
            return Ok(Vec::new());
        }
        let mut closed = Vec::new();
        let mut earliest = i64::MAX;
        let mut corrupted = false;
        overlay.range(self.store, all_open(), &mut |key, _, _| {
            match take_ordered(&key[1..]) {
                None => corrupted = true,
                Some((time, _)) if time >= before => earliest = time,
                Some((time, rest)) => {
                    let rest = rest.to_vec();
                    closed.push(Open { time, rest });
                    return ControlFlow::Continue(());
                }
            }
            ControlFlow::Break(())
        })?;
        if corrupted {
            return Err(self.corrupted());
        }
        self.earliest = Some((overlay.generation(), earliest));
        for Open { time, rest } in &closed {
            self.forget(overlay, place, *time, rest);
        }
        Ok(closed)
    }

    /// No open time is lower; `i64::MAX`: nothing is open.
    fn earliest(&mut self, overlay: &mut Overlay) -> Result<i64, Error> {
        let generation = overlay.generation();
        if let Some((seen, earliest)) = self.earliest
            && seen == generation
        {
            return Ok(earliest);
        }
        let mut earliest = i64::MAX;
        overlay.range(self.store, all_open(), &mut |_, _, time| {
            earliest = time;
            ControlFlow::Break(())
        })?;
        self.earliest = Some((generation, earliest));
        Ok(earliest)
    }

    /// That an entry's key is not one that this kind of store writes.
    pub(super) fn corrupted(&self) -> Error {
        Error {
            store: self.store.0.to_string(),
            reason: "an entry is not of this kind of store; wipe it and restore it".into(),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Header, Error> {
        let (fields, rest) = bytes.as_chunks::<8>();
        match (fields, rest) {
            ([last, interval, expired, arrivals], []) => Ok(Header {
                last: i64::from_be_bytes(*last),
                interval: i64::from_be_bytes(*interval).max(1),
                expired: i64::from_be_bytes(*expired),
                arrivals: i64::from_be_bytes(*arrivals),
            }),
            _ => Err(self.corrupted()),
        }
    }
}

impl Header {
    /// The segment of a time.
    pub(super) fn segment(&self, time: i64) -> i64 {
        time.div_euclid(self.interval)
    }
}

fn open_key(time: i64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + rest.len());
    bytes.push(OPEN);
    bytes.extend(ordered(time));
    bytes.extend(rest);
    bytes
}

fn all_open() -> KeyRange<'static> {
    KeyRange {
        start: Bound::Included(&[OPEN]),
        end: Bound::Excluded(&[OPEN + 1]),
        reverse: false,
    }
}

/// The beginning of the keys of a segment.
pub(super) fn segment_key(segment: i64) -> Vec<u8> {
    let mut bytes = vec![ENTRIES];
    bytes.extend(ordered(segment));
    bytes
}

/// The beginning of the keys of `key`'s entries in a segment.
pub(super) fn prefix(segment: i64, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + key.len() + 2 + 16);
    push_prefix(&mut bytes, segment, key);
    bytes
}

/// Appends the beginning of the keys of `key`'s entries in a segment.
pub(super) fn push_prefix(out: &mut Vec<u8>, segment: i64, key: &[u8]) {
    out.push(ENTRIES);
    out.extend(ordered(segment));
    push_escaped(out, key);
}
