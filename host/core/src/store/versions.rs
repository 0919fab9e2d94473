//! Versioned stores: of each key the versions of a stretch of time, so that a reader can ask for
//! the one that was valid then.
//!
//! A version is valid from its timestamp to the next one's; a tombstone is a version too. Let T be
//! the highest timestamp ever written: versions older than `T - history` are gone, but for the one
//! that was valid then. T is an entry of the store itself, so a restore brings it back.

use std::ops::{Bound, ControlFlow};

use super::overlay::Overlay;
use super::{Error, KeyRange, StoreId};
use crate::codec::{ordered, push_escaped, take_escaped, take_ordered};

/// The key of T: before all versions.
const HIGHEST: &[u8] = &[0];
/// The first byte of versions.
const VERSIONS: u8 = 1;
/// The first byte of a version that is a tombstone, and of one that is not.
const TOMBSTONE: u8 = 0;
const VALUE: u8 = 1;

/// The versions of one store. Entries live in the overlay; this is the way to them.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    store: StoreId,
    history_ms: i64,
}

/// The version of a key that is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// The plain key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

/// Timestamp and value; `None`: a tombstone.
type Version = (i64, Option<Vec<u8>>);

impl Versions {
    /// The way to the versions of `store`.
    pub fn new(store: StoreId, history_ms: i64) -> Versions {
        Versions { store, history_ms }
    }

    /// Puts a version, and deletes those that it makes too old; one that is too old itself is not
    /// taken (`false`). Cost: one look-up, and one seek for what is too old.
    pub fn put(
        &self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<bool, Error> {
        let highest = self.highest(overlay, place)?;
        if highest.is_some_and(|highest| timestamp < self.floor(highest)) {
            return Ok(false);
        }
        if highest.is_none_or(|highest| timestamp > highest) {
            overlay.put(self.store, place, HIGHEST, Some(&[]), timestamp);
        }
        let mut version = vec![if value.is_some() { VALUE } else { TOMBSTONE }];
        version.extend(value.unwrap_or_default());
        let entry = entry_key(key, timestamp);
        overlay.put(self.store, place, &entry, Some(&version), timestamp);
        let floor = self.floor(highest.map_or(timestamp, |highest| highest.max(timestamp)));
        self.trim(overlay, place, key, floor)?;
        Ok(true)
    }

    /// The version that was valid at `time`, as of a place; for a time that is out of the history
    /// the latest one, unless that is younger. One look-up and one seek.
    pub fn get(
        &self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        time: i64,
    ) -> Result<Option<(Vec<u8>, i64)>, Error> {
        let Some(highest) = self.highest(overlay, place)? else {
            return Ok(None);
        };
        let forgotten = time < self.floor(highest);
        let latest_at = if forgotten { i64::MAX } else { time };
        let mut found = None;
        self.down(overlay, place, key, latest_at, &mut |version| {
            found = Some(version);
            ControlFlow::Break(())
        })?;
        Ok(found
            .filter(|(timestamp, _)| *timestamp <= time)
            .and_then(|(timestamp, value)| Some((value?, timestamp))))
    }

    /// The latest version of each key whose latest is no tombstone, in the order of keys. A scan of
    /// the store.
    pub fn latest(&self, overlay: &mut Overlay) -> Result<Vec<Latest>, Error> {
        let mut latest: Vec<(Vec<u8>, Option<Vec<u8>>, i64)> = Vec::new();
        let mut corrupted = false;
        let range = KeyRange {
            start: Bound::Included(&[VERSIONS]),
            end: Bound::Unbounded,
            reverse: false,
        };
        overlay.range(self.store, range, &mut |entry, version, timestamp| {
            let key = take_escaped(&entry[1..]).map(|(key, _)| key.into_owned());
            let (Some(key), Some(value)) = (key, decode(version)) else {
                corrupted = true;
                return ControlFlow::Break(());
            };
            if latest.last().is_some_and(|(last, ..)| *last == key) {
                latest.pop();
            }
            latest.push((key, value, timestamp));
            ControlFlow::Continue(())
        })?;
        if corrupted {
            return Err(self.corrupted());
        }
        let alive = latest.into_iter();
        Ok(alive
            .filter_map(|(key, value, timestamp)| {
                let value = value?;
                Some(Latest {
                    key,
                    value,
                    timestamp,
                })
            })
            .collect())
    }

    fn highest(&self, overlay: &Overlay, place: &[u32]) -> Result<Option<i64>, Error> {
        let entry = overlay.get_as_of(self.store, HIGHEST, place)?;
        Ok(entry.map(|(_, timestamp)| timestamp))
    }

    fn floor(&self, highest: i64) -> i64 {
        highest.saturating_sub(self.history_ms)
    }

    /// Deletes a key's versions that end before `floor`.
    fn trim(
        &self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        floor: i64,
    ) -> Result<(), Error> {
        let mut old = Vec::new();
        let mut first = true;
        self.down(overlay, place, key, floor, &mut |(timestamp, value)| {
            // The highest of them is valid at `floor` still; if that is a tombstone, so is nothing.
            if !first || value.is_none() {
                old.push(timestamp);
            }
            first = false;
            ControlFlow::Continue(())
        })?;
        for timestamp in old {
            let entry = entry_key(key, timestamp);
            overlay.put(self.store, place, &entry, None, timestamp);
        }
        Ok(())
    }

    /// Visits a key's versions with a timestamp of `from` or lower, from the highest down.
    fn down(
        &self,
        overlay: &mut Overlay,
        place: &[u32],
        key: &[u8],
        from: i64,
        visit: &mut dyn FnMut(Version) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let (start, end) = (entry_key(key, i64::MIN), entry_key(key, from));
        let range = KeyRange {
            start: Bound::Included(&start),
            end: Bound::Included(&end),
            reverse: true,
        };
        let mut corrupted = false;
        overlay.range_as_of(self.store, range, place, &mut |entry, version, _| {
            let timestamp = take_ordered(&entry[entry.len() - 8..]);
            match (timestamp, decode(version)) {
                (Some((timestamp, _)), Some(value)) => visit((timestamp, value)),
                _ => {
                    corrupted = true;
                    ControlFlow::Break(())
                }
            }
        })?;
        if corrupted {
            Err(self.corrupted())
        } else {
            Ok(())
        }
    }

    fn corrupted(&self) -> Error {
        Error {
            store: self.store.0.to_string(),
            reason: "an entry is no version; wipe the store and restore it".into(),
        }
    }
}

fn entry_key(key: &[u8], timestamp: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len() + 2 + 8);
    bytes.push(VERSIONS);
    push_escaped(&mut bytes, key);
    bytes.extend(ordered(timestamp));
    bytes
}

fn decode(version: &[u8]) -> Option<Option<Vec<u8>>> {
    match version.split_first()? {
        (&TOMBSTONE, []) => Some(None),
        (&VALUE, value) => Some(Some(value.to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::store::{LAST_PLACE, MemoryBackend};

    const STORE: StoreId = StoreId(0);

    fn overlay() -> Overlay {
        Overlay::new(Box::new(MemoryBackend::default()), &[true])
    }

    fn get(versions: Versions, overlay: &mut Overlay, time: i64) -> Option<String> {
        let found = versions.get(overlay, LAST_PLACE, b"a", time).unwrap();
        found.map(|(value, _)| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_version_is_valid_until_the_next_one() {
        let (versions, mut overlay) = (Versions::new(STORE, 100), overlay());
        for (value, timestamp) in [
            (Some("10"), 10),
            (Some("30"), 30),
            (None, 40),
            (Some("20"), 20),
        ] {
            let value = value.map(str::as_bytes);
            assert!(
                versions
                    .put(&mut overlay, &[0], b"a", value, timestamp)
                    .unwrap()
            );
        }
        let at: Vec<_> = [9, 10, 25, 39, 40, 99]
            .map(|time| get(versions, &mut overlay, time))
            .into_iter()
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(at, [None, text("10"), text("20"), text("30"), None, None]);
    }

    #[test]
    fn what_is_older_than_the_history_is_not_taken_and_not_kept() {
        let (versions, mut overlay) = (Versions::new(STORE, 100), overlay());
        for timestamp in 0..1000 {
            let value = timestamp.to_string();
            versions
                .put(&mut overlay, &[0], b"a", Some(value.as_bytes()), timestamp)
                .unwrap();
        }
        assert!(!versions.put(&mut overlay, &[0], b"a", None, 898).unwrap());
        assert_eq!(get(versions, &mut overlay, 899), Some("899".to_owned()));
        assert_eq!(
            get(versions, &mut overlay, 898),
            None,
            "the latest is younger"
        );
        let mut entries = 0;
        let all = KeyRange {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            reverse: false,
        };
        let count = &mut |_: &[u8], _: &[u8], _| {
            entries += 1;
            ControlFlow::Continue(())
        };
        overlay.range(STORE, all, count).unwrap();
        assert_eq!(entries, 102, "T, and the versions from 899 on");
    }
}
