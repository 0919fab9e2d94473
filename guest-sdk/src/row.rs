//! A row, as the author's closures see it, and a row on its way through fused steps.
//!
//! A key or a value is read only when a closure looks at it, and written anew only when a step has
//! changed it: a filter hands the very bytes on that came.

use crate::columns::{Headers, RawRow};
use crate::format::{self, Data};
use crate::function::Reject;
use crate::serdes::{Codec, Codecs};

use crate::bindings::weir::service::records::Column;

/// A row: its key, its value, and where it stands in time.
pub struct Row<'a, K, V> {
    /// The key. Rows without a key are refused unless it is an `Option`.
    pub key: &'a K,
    /// The value. Tombstones are refused unless it is an `Option`.
    pub value: &'a V,
    /// Event time, milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers of the consumed row that it goes back to.
    pub headers: Headers<'a>,
}

impl<K, V> Clone for Row<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Row<'_, K, V> {}

/// Half a row on its way: the bytes as they came, the value once somebody looked, or the value that
/// a step made.
pub(crate) enum Field<'a, T> {
    Came(Option<&'a [u8]>),
    Read(Option<&'a [u8]>, T),
    Made(T),
}

impl<'a, T: Data> Field<'a, T> {
    #[inline(always)]
    fn read(
        &mut self,
        decode: impl FnOnce(Option<&[u8]>) -> Result<T, format::Error>,
    ) -> Result<&T, Reject> {
        if let Field::Came(bytes) = *self {
            *self = Field::Read(bytes, decode(bytes)?);
        }
        match self {
            Field::Read(_, value) | Field::Made(value) => Ok(value),
            Field::Came(_) => unreachable!("it was read just now"),
        }
    }

    /// What is there, read by a serde. Null stays: whether the type has one is asked by who looks.
    fn read_by(self, codec: Option<&Codec<T>>) -> Result<Field<'a, T>, Reject> {
        match (self, codec) {
            (Field::Came(Some(bytes)), Some(codec)) => Ok(Field::Made(codec.read(bytes)?)),
            (field, _) => Ok(field),
        }
    }

    /// The bytes of a serde. Null stays.
    fn written_by(
        mut self,
        codec: &Codec<T>,
        decode: impl FnOnce(Option<&[u8]>) -> Result<T, format::Error>,
    ) -> Result<Field<'a, Option<Vec<u8>>>, Reject> {
        match self {
            Field::Came(None) | Field::Read(None, _) => Ok(Field::Came(None)),
            _ => Ok(Field::Made(codec.write(self.read(decode)?)?)),
        }
    }

    #[inline(always)]
    fn write(
        &self,
        column: &mut Column,
        encode: impl FnOnce(&T, &mut Vec<u8>) -> Result<bool, format::Error>,
    ) -> Result<(), Reject> {
        match self {
            Field::Came(bytes) | Field::Read(bytes, _) => column.push(*bytes),
            Field::Made(value) => column.push_with(|out| encode(value, out))?,
        }
        Ok(())
    }
}

/// A row on its way through fused steps.
pub(crate) struct Item<'a, K, V> {
    key: Field<'a, K>,
    value: Field<'a, V>,
    raw: &'a RawRow<'a>,
}

impl<'a, K: Data, V: Data> Item<'a, K, V> {
    #[inline(always)]
    pub(crate) fn of(raw: &'a RawRow<'a>) -> Item<'a, K, V> {
        Item {
            key: Field::Came(raw.key),
            value: Field::Came(raw.value),
            raw,
        }
    }

    #[inline(always)]
    pub(crate) fn value(&mut self) -> Result<&V, Reject> {
        self.value.read(format::decode_value)
    }

    pub(crate) fn row(&mut self) -> Result<Row<'_, K, V>, Reject> {
        Ok(Row {
            key: self.key.read(format::decode_key)?,
            value: self.value.read(format::decode_value)?,
            timestamp: self.raw.timestamp,
            headers: self.raw.headers,
        })
    }

    pub(crate) fn with<K2, V2>(&self, key: K2, value: V2) -> Item<'a, K2, V2> {
        Item {
            key: Field::Made(key),
            value: Field::Made(value),
            raw: self.raw,
        }
    }

    pub(crate) fn with_key<K2>(self, key: K2) -> Item<'a, K2, V> {
        Item {
            key: Field::Made(key),
            value: self.value,
            raw: self.raw,
        }
    }

    pub(crate) fn with_value<V2>(self, value: V2) -> Item<'a, K, V2> {
        Item {
            key: self.key,
            value: Field::Made(value),
            raw: self.raw,
        }
    }

    /// The bytes of the key; written to `kept` if a step has made it.
    pub(crate) fn key_bytes<'b>(
        &'b self,
        kept: &'b mut Vec<u8>,
    ) -> Result<Option<&'b [u8]>, Reject> {
        match &self.key {
            Field::Came(bytes) | Field::Read(bytes, _) => Ok(*bytes),
            Field::Made(key) => {
                let there = format::encode_key(key, kept)?;
                Ok(there.then_some(kept))
            }
        }
    }

    /// One of several rows under the key of this one.
    pub(crate) fn beside<'b, V2>(&'b self, key: Option<&'b [u8]>, value: V2) -> Item<'b, K, V2> {
        Item {
            key: Field::Came(key),
            value: Field::Made(value),
            raw: self.raw,
        }
    }

    /// The same row with other types, its bytes to be read anew.
    pub(crate) fn retyped<V2: Data>(self, change: impl FnOnce(V) -> V2) -> Item<'a, K, V2> {
        let value = match self.value {
            Field::Came(bytes) => Field::Came(bytes),
            Field::Read(bytes, value) => Field::Read(bytes, change(value)),
            Field::Made(value) => Field::Made(change(value)),
        };
        Item {
            key: self.key,
            value,
            raw: self.raw,
        }
    }

    /// Whether there is a value, without a look at it where it came as bytes.
    pub(crate) fn has_value(&self, there: impl FnOnce(&V) -> bool) -> bool {
        match &self.value {
            Field::Came(bytes) | Field::Read(bytes, _) => bytes.is_some(),
            Field::Made(value) => there(value),
        }
    }

    /// The same row, its halves read by the serdes of the topic that it comes from.
    pub(crate) fn read_by(self, codecs: &Codecs<K, V>) -> Result<Item<'a, K, V>, Reject> {
        Ok(Item {
            key: self.key.read_by(codecs.key.as_ref())?,
            value: self.value.read_by(codecs.value.as_ref())?,
            raw: self.raw,
        })
    }

    /// The same row, its key as a topic with this serde has it.
    pub(crate) fn key_written_by(
        self,
        codec: &Codec<K>,
    ) -> Result<Item<'a, Option<Vec<u8>>, V>, Reject> {
        let key = self.key.written_by(codec, format::decode_key)?;
        Ok(Item {
            key,
            value: self.value,
            raw: self.raw,
        })
    }

    /// The same row, its value as a topic with this serde has it.
    pub(crate) fn value_written_by(
        self,
        codec: &Codec<V>,
    ) -> Result<Item<'a, K, Option<Vec<u8>>>, Reject> {
        let value = self.value.written_by(codec, format::decode_value)?;
        Ok(Item {
            key: self.key,
            value,
            raw: self.raw,
        })
    }

    pub(crate) fn timestamp(&self) -> i64 {
        self.raw.timestamp
    }

    #[inline(always)]
    pub(crate) fn write_key(&self, column: &mut Column) -> Result<(), Reject> {
        self.key.write(column, format::encode_key)
    }

    #[inline(always)]
    pub(crate) fn write_value(&self, column: &mut Column) -> Result<(), Reject> {
        self.value.write(column, format::encode_value)
    }
}
