//! Changes that are made together.

use bytes::Bytes;

/// Where an entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// The bytes of record batches.
    Batches,
    /// Everything else: small, and read in full when the broker starts.
    Records,
}

/// A list of changes; the storage makes all of them or none.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    changes: Vec<(Table, Vec<u8>, Option<Bytes>)>,
}

impl Changes {
    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: impl Into<Bytes>) {
        self.changes.push((table, key, Some(value.into())));
    }

    pub(crate) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.changes.push((table, key, None));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.changes
            .iter()
            .map(|(table, key, value)| (*table, key.as_slice(), value.as_deref()))
    }
}
