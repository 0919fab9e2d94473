//! Keys with times, as windows and sessions have them: how topics carry them, and where their
//! entries lie in a store of segments.
//!
//! A window's time is its start; a session's are its end, then its start. The first is the one by
//! which an entry lies in its segment, and by which readers see it or not.

use super::overlay::Overlay;
use super::segments::{Header, Segments, push_prefix};
use super::{Backend, Entries, Error};
use crate::codec::{ordered, split_windowed_key};
use crate::record::Column;

impl Segments {
    /// Puts the entry of a key and its times, or deletes it. What readers do not see is not kept.
    pub(super) fn put<const N: usize>(
        &mut self,
        overlay: &mut Overlay,
        place: &[u32],
        (key, times): (&[u8], [i64; N]),
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<(), Error> {
        let header = self.observe(overlay, place, times[0])?;
        if times[0] >= self.floor(header.last) {
            header.set_entry_key(&mut self.entry_key, key, times);
            overlay.put(self.store, place, &self.entry_key, value, timestamp);
        }
        Ok(())
    }

    /// The entries of many keys, as topics carry them with `N` times. One look-up below. Null where
    /// the key is null, none of this kind, or of what readers do not see.
    pub(super) fn fetch_many<const N: usize>(
        &mut self,
        overlay: &Overlay,
        keys: &Column,
    ) -> Result<Entries, Error> {
        let header = self.header(overlay)?;
        let asked = self.entry_keys::<N>(keys, |_| header);
        overlay.get_many(self.store, &asked)
    }

    /// As [`Segments::fetch_many`], each key as of its row's place: with the entries, and the
    /// retention, that readers saw there.
    pub(super) fn fetch_many_as_of<'p, const N: usize>(
        &mut self,
        overlay: &Overlay,
        keys: &Column,
        place_of: impl Fn(usize) -> &'p [u32],
    ) -> Result<Entries, Error> {
        let mut headers = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            headers.push(self.header_as_of(overlay, Some(place_of(row)))?);
        }
        let asked = self.entry_keys::<N>(keys, |row| headers[row]);
        overlay.get_many_as_of(self.store, &asked, place_of)
    }

    /// Where the committed entries of these keys lie in the backend; null for what readers do not
    /// see. `None`: nothing was ever written, so nobody knows.
    pub(super) fn committed_keys<const N: usize>(
        &self,
        backend: &dyn Backend,
        keys: &Column,
    ) -> Result<Option<Column>, Error> {
        let header = self.committed_header(backend)?;
        Ok(header.map(|header| self.entry_keys::<N>(keys, |_| Some(header))))
    }

    fn entry_keys<const N: usize>(
        &self,
        keys: &Column,
        header_of: impl Fn(usize) -> Option<Header>,
    ) -> Column {
        let mut asked = Column::with_capacity(keys.len(), keys.bytes().len() + 12 * keys.len());
        let mut entry = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            let kept = header_of(row).zip(key.and_then(split::<N>));
            let kept = kept.filter(|(header, (_, times))| times[0] >= self.floor(header.last));
            asked.push(kept.map(|(header, (key, times))| {
                header.set_entry_key(&mut entry, key, times);
                entry.as_slice()
            }));
        }
        asked
    }
}

impl Header {
    /// Where the entry of a key and its times lies.
    pub(super) fn entry_key<const N: usize>(&self, key: &[u8], times: [i64; N]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.set_entry_key(&mut bytes, key, times);
        bytes
    }

    /// Makes `out` the [`Header::entry_key`] of a key and its times.
    fn set_entry_key<const N: usize>(&self, out: &mut Vec<u8>, key: &[u8], times: [i64; N]) {
        out.clear();
        out.reserve(1 + 8 + key.len() + 2 + 8 * N);
        push_prefix(out, self.segment(times[0]), key);
        for time in times {
            out.extend(ordered(time));
        }
    }
}

/// Key and times of a key as a topic carries it; `None`: too short to be one.
fn split<const N: usize>(bytes: &[u8]) -> Option<(&[u8], [i64; N])> {
    let mut times = [0; N];
    let mut key = bytes;
    for time in times.iter_mut().rev() {
        (key, *time) = split_windowed_key(key)?;
    }
    Some((key, times))
}
