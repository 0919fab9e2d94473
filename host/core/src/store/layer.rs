//! A layer: the uncommitted writes of one store.
//!
//! Keys and values lie back to back in one arena, found through a hash index, so that a write
//! allocates nothing of its own; an order is kept only from the first range on. In a store that
//! other nodes read, each write of the batch at hand is kept with its [place](super::overlay) until
//! the batch ends. Every change returns what undoes it; undoing goes strictly backwards.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::Writes;
use crate::record::Batch;

/// A run of bytes in the arena.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    length: usize,
}

/// A written value; without a span a delete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    span: Option<Span>,
    timestamp: i64,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    key: Span,
    /// The last write in the order of places.
    last: Slot,
    /// Position in `chains`, if written in the batch at hand and others read the store.
    chain: Option<u32>,
}

/// What the batch at hand did to a key.
#[derive(Debug)]
struct Chain {
    entry: u32,
    /// The uncommitted write from before the batch.
    before: Option<Slot>,
    /// Ascending by place.
    versions: Vec<(Box<[u32]>, Slot)>,
}

/// What a layer knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Written: value and timestamp.
    Value(&'a [u8], i64),
    /// Deleted or expired.
    Deleted,
    /// Not touched: what is committed holds.
    Unknown,
}

/// How to take back one change.
#[derive(Debug)]
pub(super) enum Undo {
    Put {
        entry: u32,
        created: bool,
        last: Slot,
        version: Option<usize>,
        chained: bool,
    },
    Expired {
        entries: Vec<(u32, Slot)>,
        /// The end of the range that was widened, if one was.
        widened: Option<Vec<u8>>,
    },
}

#[derive(Debug, Default)]
pub(super) struct Layer {
    shared: bool,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    order: Option<BTreeMap<Box<[u8]>, u32>>,
    expired: Vec<(Vec<u8>, Vec<u8>)>,
    chains: Vec<Chain>,
    hasher: FixedState,
}

impl Layer {
    /// `shared`: other nodes read the store, so versions are kept.
    pub(super) fn new(shared: bool) -> Layer {
        Layer {
            shared,
            ..Layer::default()
        }
    }

    /// Bytes held, those of overwritten values included.
    pub(super) fn bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Whether nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.expired.is_empty()
    }

    /// Puts, or deletes without a value. `overwrite`: nobody will want the old value back.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: i64,
        place: &[u32],
        overwrite: bool,
    ) -> Undo {
        let (number, created) = self.entry_of(key);
        let last = self.entries[number as usize].last;
        let span = match (value, last.span) {
            (None, _) => None,
            (Some(value), Some(span))
                if overwrite && !self.shared && span.length == value.len() =>
            {
                self.arena[span.start..span.start + span.length].copy_from_slice(value);
                Some(span)
            }
            (Some(value), _) => Some(self.keep(value)),
        };
        let slot = Slot { span, timestamp };
        let mut undo = Undo::Put {
            entry: number,
            created,
            last,
            version: None,
            chained: false,
        };
        if self.shared {
            undo = self.chain(number, created, slot, place);
        } else {
            self.entries[number as usize].last = slot;
        }
        undo
    }

    /// Deletes every key in `[start, end)`, committed ones too, at all places. A range that the
    /// last one begins takes its place: what expires over time stays one range.
    pub(super) fn expire(&mut self, start: &[u8], end: &[u8]) -> Undo {
        let mut entries = Vec::new();
        for number in 0..self.entries.len() {
            let key = self.key(number);
            if start <= key && key < end {
                let entry = &mut self.entries[number];
                entries.push((
                    u32::try_from(number).expect("entries are numbered in u32"),
                    entry.last,
                ));
                entry.last.span = None;
            }
        }
        let widened = match self.expired.last_mut() {
            Some((last, last_end)) if last == start && last_end.as_slice() <= end => {
                Some(std::mem::replace(last_end, end.to_vec()))
            }
            _ => {
                self.expired.push((start.to_vec(), end.to_vec()));
                None
            }
        };
        Undo::Expired { entries, widened }
    }

    /// Takes back the latest change that has not been taken back.
    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Expired { entries, widened } => {
                match (widened, self.expired.last_mut()) {
                    (Some(before), Some((_, end))) => *end = before,
                    _ => drop(self.expired.pop()),
                }
                for (number, last) in entries {
                    self.entries[number as usize].last = last;
                }
            }
            Undo::Put {
                entry: number,
                created,
                last,
                version,
                chained,
            } => {
                let entry = &mut self.entries[number as usize];
                entry.last = last;
                if let Some(version) = version {
                    let chain = entry.chain.expect("a version stands in a chain");
                    self.chains[chain as usize].versions.remove(version);
                    if chained {
                        self.chains.pop();
                        entry.chain = None;
                    }
                }
                if created {
                    self.forget_newest();
                }
            }
        }
    }

    /// What the layer knows of a key, in the end or as of a place.
    pub(super) fn get(&self, key: &[u8], place: Option<&[u32]>) -> Found<'_> {
        if self.entries.is_empty() && self.expired.is_empty() {
            return Found::Unknown;
        }
        let hash = self.hasher.hash_one(key);
        match self
            .index
            .find(hash, |&number| self.key(number as usize) == key)
        {
            Some(&number) => self.found(number, place),
            None if self.has_expired(key) => Found::Deleted,
            None => Found::Unknown,
        }
    }

    /// What an entry is, in the end or as of a place.
    pub(super) fn found(&self, number: u32, place: Option<&[u32]>) -> Found<'_> {
        let entry = &self.entries[number as usize];
        let slot = match (entry.chain, place) {
            (Some(chain), Some(place)) => {
                let chain = &self.chains[chain as usize];
                let seen = chain.versions.partition_point(|(at, _)| &**at <= place);
                match seen.checked_sub(1) {
                    Some(version) => Some(chain.versions[version].1),
                    None => chain.before,
                }
            }
            _ => Some(entry.last),
        };
        match slot {
            Some(Slot {
                span: Some(span),
                timestamp,
            }) => Found::Value(&self.arena[span.start..span.start + span.length], timestamp),
            Some(Slot { span: None, .. }) => Found::Deleted,
            None if self.has_expired(self.key(number as usize)) => Found::Deleted,
            None => Found::Unknown,
        }
    }

    /// Whether a key is in an expired range.
    pub(super) fn has_expired(&self, key: &[u8]) -> bool {
        self.expired
            .iter()
            .any(|(start, end)| start.as_slice() <= key && key < end.as_slice())
    }

    /// All keys written, in order; from the first call on the order is kept, up to the commit.
    pub(super) fn ordered(&mut self) -> &BTreeMap<Box<[u8]>, u32> {
        if self.order.is_none() {
            let numbers = (0_u32..).take(self.entries.len());
            let order = numbers
                .map(|number| (self.key(number as usize).into(), number))
                .collect();
            self.order = Some(order);
        }
        self.order.as_ref().expect("just made")
    }

    /// As [`Layer::ordered`], where it was called before.
    pub(super) fn order(&self) -> Option<&BTreeMap<Box<[u8]>, u32>> {
        self.order.as_ref()
    }

    /// Forgets the places of the batch at hand: the last write of each key stays.
    pub(super) fn end_batch(&mut self) {
        for chain in self.chains.drain(..) {
            self.entries[chain.entry as usize].chain = None;
        }
    }

    /// The last write of each key, ascending, and what has expired. The layer is empty afterwards
    /// and keeps its room.
    pub(super) fn take(&mut self) -> Writes {
        let mut rows = Batch::default();
        for (_, number) in self.sorted() {
            let last = self.entries[number as usize].last;
            let value = last
                .span
                .map(|span| &self.arena[span.start..span.start + span.length]);
            rows.push(Some(self.key(number as usize)), value, last.timestamp);
        }
        self.arena.clear();
        self.entries.clear();
        self.index.clear();
        self.chains.clear();
        self.order = None;
        Writes {
            rows,
            expired: std::mem::take(&mut self.expired),
            changelog_end: None,
        }
    }

    /// The entries' numbers by key, each behind the eight bytes after what all keys begin with:
    /// these tell most keys apart without a look at the arena, which makes it three times as fast.
    fn sorted(&self) -> Vec<(u64, u32)> {
        let shared = (1..self.entries.len()).fold(usize::MAX, |shared, number| {
            let pairs = self.key(0).iter().zip(self.key(number)).take(shared);
            pairs.take_while(|(a, b)| a == b).count()
        });
        let after = |key: &[u8]| {
            let mut bytes = [0; 8];
            let rest = key.get(shared..).unwrap_or_default();
            let length = rest.len().min(8);
            bytes[..length].copy_from_slice(&rest[..length]);
            u64::from_be_bytes(bytes)
        };
        let numbers = (0_u32..).take(self.entries.len());
        let mut sorted: Vec<_> = numbers
            .map(|number| (after(self.key(number as usize)), number))
            .collect();
        sorted.sort_unstable_by(|&(a, left), &(b, right)| {
            a.cmp(&b)
                .then_with(|| self.key(left as usize).cmp(self.key(right as usize)))
        });
        sorted
    }

    fn key(&self, number: usize) -> &[u8] {
        let span = self.entries[number].key;
        &self.arena[span.start..span.start + span.length]
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        Span {
            start,
            length: bytes.len(),
        }
    }

    /// The entry of a key, and whether it was made just now (then with a write that means nothing
    /// yet).
    fn entry_of(&mut self, key: &[u8]) -> (u32, bool) {
        let hash = self.hasher.hash_one(key);
        if let Some(&number) = self
            .index
            .find(hash, |&number| self.key(number as usize) == key)
        {
            return (number, false);
        }
        let number = u32::try_from(self.entries.len()).expect("a commit stays below 4 G keys");
        let span = self.keep(key);
        let last = Slot {
            span: None,
            timestamp: 0,
        };
        self.entries.push(Entry {
            hash,
            key: span,
            last,
            chain: None,
        });
        let entries = &self.entries;
        self.index
            .insert_unique(hash, number, |&number| entries[number as usize].hash);
        if let Some(order) = &mut self.order {
            order.insert(key.into(), number);
        }
        (number, true)
    }

    /// Adds a version at its place; the entry's last write is that of the highest place.
    fn chain(&mut self, number: u32, created: bool, slot: Slot, place: &[u32]) -> Undo {
        let entry = &mut self.entries[number as usize];
        let last = entry.last;
        let chained = entry.chain.is_none();
        let chain = *entry.chain.get_or_insert_with(|| {
            let before = (!created).then_some(last);
            self.chains.push(Chain {
                entry: number,
                before,
                versions: Vec::new(),
            });
            u32::try_from(self.chains.len() - 1).expect("no more chains than entries")
        });
        let versions = &mut self.chains[chain as usize].versions;
        let version = versions.partition_point(|(at, _)| &**at <= place);
        versions.insert(version, (place.into(), slot));
        if version + 1 == versions.len() {
            entry.last = slot;
        }
        Undo::Put {
            entry: number,
            created,
            last,
            version: Some(version),
            chained,
        }
    }

    fn forget_newest(&mut self) {
        let number = u32::try_from(self.entries.len() - 1).expect("entries are numbered in u32");
        let entry = &self.entries[number as usize];
        let found = self.index.find_entry(entry.hash, |&other| other == number);
        found.expect("every entry is in the index").remove();
        if let Some(order) = &mut self.order {
            let span = entry.key;
            order.remove(&self.arena[span.start..span.start + span.length]);
        }
        self.entries.pop();
    }
}
