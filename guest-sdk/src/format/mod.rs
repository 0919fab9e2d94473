//! Formats: how the author's types become bytes, and come back.
//!
//! A type says it through serde. *A scalar is plain, everything else is JSON*: strings and the
//! names of plain enums are utf-8, integers and floats big-endian (as Kafka's own serdes have
//! them), `bool` one byte, `Vec<u8>` as it is; newtypes are what they wrap; structs, lists and maps
//! are JSON. `None` is null: a row without key, or a tombstone. In a key, a tuple is its parts one
//! after the other, in an order that a range over a store can use. [`Json`] makes JSON of a scalar,
//! too. Any other format is a type of the author's own whose `Serialize` writes bytes.

mod decode;
mod encode;
mod wrappers;

use std::any::{Any, TypeId};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use wrappers::{Json, Session, Windowed};

/// A key, a value or a state: any type of the author's own that serde can write and read.
pub trait Data: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Data for T {}

/// Which half of a row (or entry) bytes are: tuples differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Half {
    Key,
    Value,
}

impl Half {
    /// As errors name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Half::Key => "key",
            Half::Value => "value",
        }
    }
}

/// Bytes that are not what the type says, or a value that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

impl Error {
    /// With a reason for people.
    pub(crate) fn new(reason: String) -> Error {
        Error(reason)
    }

    /// With what was tried in front.
    pub(crate) fn within(self, what: &str) -> Error {
        Error(format!("{what}: {}", self.0))
    }
}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Error {
        Error(message.to_string())
    }
}

/// Writes a key at the end of `out`; `false`: it is null, and nothing was written.
pub(crate) fn encode_key<T: Data>(key: &T, out: &mut Vec<u8>) -> Result<bool, Error> {
    encode(key, Half::Key, out).map_err(|error| error.within(Half::Key.name()))
}

/// Writes a value at the end of `out`; `false`: it is null, and nothing was written.
pub(crate) fn encode_value<T: Data>(value: &T, out: &mut Vec<u8>) -> Result<bool, Error> {
    encode(value, Half::Value, out).map_err(|error| error.within(Half::Value.name()))
}

/// What all keys begin with that are tuples and have this first part.
pub(crate) fn encode_prefix<T: Data>(first: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode::encode(&(first,), Half::Key, &mut out)
        .unwrap_or_else(|error| panic!("the first part of a key: {error}"));
    out
}

/// Reads a key. Errors name the field.
pub(crate) fn decode_key<T: Data>(bytes: Option<&[u8]>) -> Result<T, Error> {
    decode(bytes, Half::Key).map_err(|error| error.within(Half::Key.name()))
}

/// Reads a value. Errors name the field.
pub(crate) fn decode_value<T: Data>(bytes: Option<&[u8]>) -> Result<T, Error> {
    decode(bytes, Half::Value).map_err(|error| error.within(Half::Value.name()))
}

/// Reads a value that stands alone: errors do not say what it is of.
pub(crate) fn decode_bare<T: Data>(bytes: &[u8]) -> Result<T, Error> {
    decode(Some(bytes), Half::Value)
}

fn encode<T: Data>(value: &T, half: Half, out: &mut Vec<u8>) -> Result<bool, Error> {
    // To serde, bytes are a list of numbers. What these ask is known when the type is.
    let value_of = value as &dyn Any;
    let bytes = match value_of.downcast_ref::<Option<Vec<u8>>>() {
        Some(None) => return Ok(false),
        Some(Some(bytes)) => Some(bytes),
        None => value_of.downcast_ref::<Vec<u8>>(),
    };
    if let Some(bytes) = bytes {
        out.extend_from_slice(bytes);
        return Ok(true);
    }
    encode::encode(value, half, out)
}

fn decode<T: Data>(bytes: Option<&[u8]>, half: Half) -> Result<T, Error> {
    if TypeId::of::<T>() == TypeId::of::<Vec<u8>>() {
        let mut copy = bytes.map(<[u8]>::to_vec);
        if let Some(copy) = (&mut copy as &mut dyn Any).downcast_mut::<Option<T>>() {
            return copy.take().ok_or_else(decode::null);
        }
    }
    if TypeId::of::<T>() == TypeId::of::<Option<Vec<u8>>>() {
        let mut copy = Some(bytes.map(<[u8]>::to_vec));
        if let Some(copy) = (&mut copy as &mut dyn Any).downcast_mut::<Option<T>>() {
            return copy.take().ok_or_else(decode::null);
        }
    }
    decode::decode(bytes, half)
}

#[cfg(test)]
mod tests;
