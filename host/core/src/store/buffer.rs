//! Buffers: updates of a table that are held back, the latest of each key, in the order in which
//! they will leave.
//!
//! An update has a time that decides when it leaves; a later one of its key takes its value,
//! timestamp and headers, not its time, nor the value that the key had before.

use std::ops::{Bound, ControlFlow};

use super::overlay::Overlay;
use super::{Error, KeyRange, StoreId};
use crate::codec::{ordered, take_ordered};

/// The updates held back in one store. They live in the overlay; this is the way to them.
#[derive(Debug)]
pub struct Buffer {
    store: StoreId,
    /// No update has a lower time, as long as the overlay's generation is this.
    earliest: Option<(u64, i64)>,
}

/// An update that is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// The value that the key had before the first of its updates that were held back.
    pub old: Option<Vec<u8>>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Names and values, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// First bytes of keys: the number of updates, the updates by time and key, the times by key.
const COUNT: &[u8] = &[0];
const UPDATES: u8 = 1;
const TIMES: u8 = 2;

impl Buffer {
    /// The way to the updates of `store`.
    pub fn new(store: StoreId) -> Buffer {
        Buffer {
            store,
            earliest: None,
        }
    }

    /// Holds an update back until `time`, or instead of the one of its key that is held back
    /// already. Two look-ups.
    pub fn put(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        (key, time): (&[u8], i64),
        mut update: Update,
    ) -> Result<(), Error> {
        let index = time_key(key);
        let time = match overlay.get(self.store, &index)? {
            Some((time, _)) => {
                let (time, _) = take_ordered(&time).ok_or_else(|| self.corrupted())?;
                let before = overlay.get(self.store, &update_key(time, key))?;
                let (before, timestamp) = before.ok_or_else(|| self.corrupted())?;
                let before = decode(&before, timestamp).ok_or_else(|| self.corrupted())?;
                update.old = before.old;
                time
            }
            None => {
                let count = self.len(overlay)? + 1;
                self.set_len(overlay, place, count);
                let value = ordered(time);
                overlay.put(self.store, place, &index, Some(&value), time);
                time
            }
        };
        let value = encode(&update);
        let key = update_key(time, key);
        overlay.put(self.store, place, &key, Some(&value), update.timestamp);
        if let Some((_, earliest)) = &mut self.earliest {
            *earliest = time.min(*earliest);
        }
        Ok(())
    }

    /// What is held back of a key, as of a place. Two look-ups.
    pub fn get_as_of(
        &self,
        overlay: &Overlay,
        key: &[u8],
        place: &[u32],
    ) -> Result<Option<Update>, Error> {
        let Some((time, _)) = overlay.get_as_of(self.store, &time_key(key), place)? else {
            return Ok(None);
        };
        let (time, _) = take_ordered(&time).ok_or_else(|| self.corrupted())?;
        let update = overlay.get_as_of(self.store, &update_key(time, key), place)?;
        let update = update.and_then(|(bytes, timestamp)| decode(&bytes, timestamp));
        update.map(Some).ok_or_else(|| self.corrupted())
    }

    /// Takes the updates with times up to and with `until`, by time, then key bytes. Costs nothing
    /// while the earliest is known to be later.
    pub fn take_due(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        until: i64,
    ) -> Result<Vec<(Vec<u8>, Update)>, Error> {
        let generation = overlay.generation();
        if let Some((seen, earliest)) = self.earliest
            && seen == generation
            && until < earliest
        {
            return Ok(Vec::new());
        }
        self.take(overlay, place, |_, time| time <= until)
    }

    /// Takes the first updates, by time, then key bytes, until there are no more than `most`.
    pub fn take_excess(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, Update)>, Error> {
        match self.len(overlay)?.checked_sub(most) {
            None | Some(0) => Ok(Vec::new()),
            Some(excess) => self.take(overlay, place, |taken, _| (taken as u64) < excess),
        }
    }

    /// Takes updates from the first on while they are wanted: a question of how many were taken,
    /// and the next one's time.
    fn take(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        wanted: impl Fn(usize, i64) -> bool,
    ) -> Result<Vec<(Vec<u8>, Update)>, Error> {
        let mut taken = Vec::new();
        let mut earliest = i64::MAX;
        let mut corrupted = false;
        let range = KeyRange {
            start: Bound::Included(&[UPDATES]),
            end: Bound::Excluded(&[UPDATES + 1]),
            reverse: false,
        };
        overlay.range(self.store, range, &mut |bytes, value, timestamp| {
            let Some(((time, key), update)) =
                take_ordered(&bytes[1..]).zip(decode(value, timestamp))
            else {
                corrupted = true;
                return ControlFlow::Break(());
            };
            if !wanted(taken.len(), time) {
                earliest = time;
                return ControlFlow::Break(());
            }
            taken.push((time, key.to_vec(), update));
            ControlFlow::Continue(())
        })?;
        if corrupted {
            return Err(self.corrupted());
        }
        self.earliest = Some((overlay.generation(), earliest));
        if !taken.is_empty() {
            let count = self.len(overlay)?.saturating_sub(taken.len() as u64);
            self.set_len(overlay, place, count);
        }
        let taken = taken.into_iter().map(|(time, key, update)| {
            for entry in [update_key(time, &key), time_key(&key)] {
                overlay.put(self.store, place, &entry, None, time);
            }
            (key, update)
        });
        Ok(taken.collect())
    }

    /// How many updates are held back.
    pub fn len(&self, overlay: &Overlay) -> Result<u64, Error> {
        match overlay.get(self.store, COUNT)? {
            None => Ok(0),
            Some((bytes, _)) => {
                let bytes = bytes.try_into().map_err(|_| self.corrupted())?;
                Ok(u64::from_be_bytes(bytes))
            }
        }
    }

    fn set_len(&self, overlay: &mut Overlay, place: &[u32], count: u64) {
        let bytes = count.to_be_bytes();
        overlay.put(self.store, place, COUNT, Some(&bytes), 0);
    }

    fn corrupted(&self) -> Error {
        Error {
            store: self.store.0.to_string(),
            reason: "an entry is not of a buffer; wipe it and restore it".into(),
        }
    }
}

fn time_key(key: &[u8]) -> Vec<u8> {
    [&[TIMES], key].concat()
}

fn update_key(time: i64, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + key.len());
    bytes.push(UPDATES);
    bytes.extend(ordered(time));
    bytes.extend(key);
    bytes
}

/// The number of headers, then all parts one after the other: names and values of headers, old
/// value, value; each behind its length, the highest length for null.
fn encode(update: &Update) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = |length: usize| u32::try_from(length).expect("a row stays below 2 GiB");
    bytes.extend(length(update.headers.len()).to_be_bytes());
    let headers = update.headers.iter();
    let headers = headers.flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
    for part in headers.chain([update.old.as_deref(), update.value.as_deref()]) {
        bytes.extend(
            part.map_or(u32::MAX, |part| length(part.len()))
                .to_be_bytes(),
        );
        bytes.extend(part.unwrap_or_default());
    }
    bytes
}

fn decode(mut bytes: &[u8], timestamp: i64) -> Option<Update> {
    let number = |bytes: &mut &[u8]| {
        let (number, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(u32::from_be_bytes(*number))
    };
    let headers = number(&mut bytes)?;
    let mut part = || {
        let length = number(&mut bytes)?;
        if length == u32::MAX {
            return Some(None);
        }
        let (part, rest) = bytes.split_at_checked(length as usize)?;
        bytes = rest;
        Some(Some(part.to_vec()))
    };
    let headers = (0..headers)
        .map(|_| Some((String::from_utf8(part()??).ok()?, part()?)))
        .collect::<Option<Vec<_>>>()?;
    Some(Update {
        old: part()?,
        value: part()?,
        timestamp,
        headers,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::store::{LAST_PLACE, MemoryBackend};

    fn update(value: &str, old: Option<&str>) -> Update {
        Update {
            value: Some(value.into()),
            old: old.map(Into::into),
            timestamp: 7,
            headers: vec![("h".into(), None), (String::new(), Some(vec![1]))],
        }
    }

    #[test]
    fn an_update_comes_back_as_it_went_in() {
        for update in [Update::default(), update("", None), update("a", Some(""))] {
            let bytes = encode(&update);
            assert_eq!(decode(&bytes, update.timestamp), Some(update));
            assert_eq!(decode(&bytes[..bytes.len() - 1], 0), None);
        }
    }

    #[test]
    fn a_later_update_takes_the_value_and_leaves_the_time_and_the_old_value() {
        let backend = MemoryBackend::new();
        let mut task = Overlay::new(Box::new(backend.clone()), &[false]);
        let mut buffer = Buffer::new(StoreId(0));
        let mut put = |task: &mut Overlay, key: &str, time, value, old| {
            buffer
                .put(task, LAST_PLACE, (key.as_bytes(), time), update(value, old))
                .unwrap();
        };
        put(&mut task, "b", 10, "b1", Some("b0"));
        put(&mut task, "a", 10, "a1", None);
        task.finish(&[]).unwrap();
        put(&mut task, "c", 5, "c1", None);
        put(&mut task, "b", 1, "b2", Some("b1"));
        assert_eq!(buffer.len(&task).unwrap(), 3);
        let shown = |taken: Vec<(Vec<u8>, Update)>| -> Vec<String> {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            let old = |update: &Update| update.old.as_deref().map_or("-".into(), text);
            let one = |update: &Update| text(update.value.as_deref().unwrap());
            taken
                .iter()
                .map(|(_, update)| format!("{} was {}", one(update), old(update)))
                .collect()
        };
        assert_eq!(
            shown(buffer.take_due(&mut task, LAST_PLACE, 4).unwrap()),
            Vec::<String>::new()
        );
        assert_eq!(
            shown(buffer.take_due(&mut task, LAST_PLACE, 5).unwrap()),
            ["c1 was -"]
        );
        assert_eq!(
            shown(buffer.take_excess(&mut task, LAST_PLACE, 1).unwrap()),
            ["a1 was -"]
        );
        assert_eq!(
            shown(buffer.take_due(&mut task, LAST_PLACE, 10).unwrap()),
            ["b2 was b0"]
        );
        task.finish(&[]).unwrap();
        assert_eq!(
            backend.entries(StoreId(0)).len(),
            1,
            "nothing but the number"
        );
    }
}
