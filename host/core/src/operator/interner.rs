//! An interner: numbers for keys, in the order of their first appearance.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::record::Column;

/// The distinct keys of a batch.
#[derive(Default)]
pub(super) struct Interner {
    keys: Column,
    index: HashTable<u32>,
    hasher: FixedState,
}

impl Interner {
    /// The number of a key.
    pub(super) fn number(&mut self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        let keys = &self.keys;
        if let Some(&number) = self
            .index
            .find(hash, |&number| keys.get(number as usize) == Some(key))
        {
            return number;
        }
        let number = super::emitted::number(self.keys.len());
        self.keys.push(Some(key));
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.index.insert_unique(hash, number, |&number| {
            hasher.hash_one(keys.get(number as usize).expect("a key is not null"))
        });
        number
    }

    /// The keys, by number.
    pub(super) fn keys(&self) -> &Column {
        &self.keys
    }

    /// The key of a number.
    pub(super) fn key(&self, number: u32) -> &[u8] {
        self.keys.get(number as usize).expect("a key is not null")
    }
}
