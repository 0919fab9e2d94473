//! Which topic has which serde, and serdes as the SDK calls them: with the topic in every error,
//! and with null where the type has one.

use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Malformed, Serde};
use crate::format::{self, Data, Half};

type Read<T> = dyn Fn(&[u8]) -> Result<T, format::Error>;
type Write<T> = dyn Fn(&T, &mut Vec<u8>) -> Result<bool, format::Error>;

/// A serde of a topic's keys or values. Cheap to clone.
pub(crate) struct Codec<T> {
    read: Rc<Read<T>>,
    write: Rc<Write<T>>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Codec<T> {
        Codec {
            read: Rc::clone(&self.read),
            write: Rc::clone(&self.write),
        }
    }
}

impl<T: Data> Codec<T> {
    /// Reads what is not null.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<T, format::Error> {
        (self.read)(bytes)
    }

    /// The bytes of a value; `None`: it is null.
    pub(crate) fn write(&self, value: &T) -> Result<Option<Vec<u8>>, format::Error> {
        let mut bytes = Vec::new();
        let there = (self.write)(value, &mut bytes)?;
        Ok(there.then_some(bytes))
    }

    /// The same serde for a type that has a null.
    fn optional(&self) -> Codec<Option<T>> {
        let Codec { read, write } = self.clone();
        Codec {
            read: Rc::new(move |bytes| read(bytes).map(Some)),
            write: Rc::new(move |value, out| match value {
                Some(value) => write(value, out),
                None => Ok(false),
            }),
        }
    }
}

/// The serdes of one topic, seen with the types of somebody who reads or writes it; `None`: plain.
pub(crate) struct Codecs<K, V> {
    pub(crate) key: Option<Codec<K>>,
    pub(crate) value: Option<Codec<V>>,
}

impl<K, V> Clone for Codecs<K, V> {
    fn clone(&self) -> Codecs<K, V> {
        Codecs {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<K: Data, V: Data> Codecs<K, V> {
    pub(crate) fn are_plain(&self) -> bool {
        self.key.is_none() && self.value.is_none()
    }

    /// The bytes of a row; `None` is null.
    pub(crate) fn write(&self, key: &K, value: &V) -> Result<[Option<Vec<u8>>; 2], format::Error> {
        Ok([
            write(self.key.as_ref(), key, format::encode_key)?,
            write(self.value.as_ref(), value, format::encode_value)?,
        ])
    }

    /// A row of these bytes.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn read(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(K, V), format::Error> {
        Ok((
            read(self.key.as_ref(), key, format::decode_key)?,
            read(self.value.as_ref(), value, format::decode_value)?,
        ))
    }
}

fn write<T: Data>(
    codec: Option<&Codec<T>>,
    value: &T,
    plain: impl FnOnce(&T, &mut Vec<u8>) -> Result<bool, format::Error>,
) -> Result<Option<Vec<u8>>, format::Error> {
    match codec {
        Some(codec) => codec.write(value),
        None => {
            let mut bytes = Vec::new();
            let there = plain(value, &mut bytes)?;
            Ok(there.then_some(bytes))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn read<T: Data>(
    codec: Option<&Codec<T>>,
    bytes: Option<&[u8]>,
    plain: impl FnOnce(Option<&[u8]>) -> Result<T, format::Error>,
) -> Result<T, format::Error> {
    match (codec, bytes) {
        (Some(codec), Some(bytes)) => codec.read(bytes),
        _ => plain(bytes),
    }
}

/// A serde whose type is forgotten.
#[derive(Clone)]
struct Declared {
    of: &'static str,
    /// Its [`Codec`], and the one of the `Option`.
    codecs: [Rc<dyn Any>; 2],
}

impl Declared {
    fn codec<T: Data>(&self) -> Option<Codec<T>> {
        let mut codecs = self.codecs.iter();
        codecs.find_map(|codec| codec.downcast_ref::<Codec<T>>().cloned())
    }
}

/// The serdes of all topics that have one.
#[derive(Clone, Default)]
pub(crate) struct Topics {
    declared: BTreeMap<(String, Half), Declared>,
    /// Topics that somebody reads or writes already.
    used: BTreeSet<String>,
}

impl Topics {
    /// Gives a topic a serde. Errors: mistakes of the author.
    pub(crate) fn declare<T: Data>(
        &mut self,
        topic: &str,
        half: Half,
        serde: impl Serde<T>,
    ) -> Result<(), String> {
        let what = format!("topic `{topic}`: {}", half.name());
        serde.check().map_err(|error| format!("{what}: {error}"))?;
        if self.used.contains(topic) {
            return Err(format!(
                "{what}: its serde comes too late; declare it before the topic is read or written"
            ));
        }
        if is_bytes::<T>() || serde.is_plain() {
            return Ok(());
        }
        let codec = codec(what.clone(), serde);
        let declared = Declared {
            of: type_name::<T>(),
            codecs: [Rc::new(codec.optional()), Rc::new(codec)],
        };
        match self.declared.insert((topic.to_owned(), half), declared) {
            None => Ok(()),
            Some(_) => Err(format!("{what}: has two serdes; declare one")),
        }
    }

    /// What somebody needs who reads or writes a topic. Errors: mistakes of the author.
    pub(crate) fn of<K: Data, V: Data>(&mut self, topic: &str) -> Result<Codecs<K, V>, String> {
        self.used.insert(topic.to_owned());
        self.seen_as(topic)
    }

    /// The same for somebody who looks on.
    pub(crate) fn seen_as<K: Data, V: Data>(&self, topic: &str) -> Result<Codecs<K, V>, String> {
        Ok(Codecs {
            key: self.codec(topic, Half::Key)?,
            value: self.codec(topic, Half::Value)?,
        })
    }

    fn codec<T: Data>(&self, topic: &str, half: Half) -> Result<Option<Codec<T>>, String> {
        let declared = self.declared.get(&(topic.to_owned(), half));
        let Some(declared) = declared.filter(|_| !is_bytes::<T>()) else {
            return Ok(None);
        };
        declared.codec().map(Some).ok_or_else(|| {
            format!(
                "topic `{topic}`: {}: its serde is one of `{}`, and here it is `{}`; take one \
                 type for both",
                half.name(),
                declared.of,
                type_name::<T>()
            )
        })
    }
}

/// Whoever takes bytes takes them as they lie in the topic.
fn is_bytes<T: 'static>() -> bool {
    [TypeId::of::<Vec<u8>>(), TypeId::of::<Option<Vec<u8>>>()].contains(&TypeId::of::<T>())
}

fn codec<T: 'static>(what: String, serde: impl Serde<T>) -> Codec<T> {
    let serde = Rc::new(serde);
    let within = {
        let what = Rc::<str>::from(what);
        move |error: Malformed| format::Error::new(error.0).within(&what)
    };
    Codec {
        read: Rc::new({
            let (serde, within) = (Rc::clone(&serde), within.clone());
            move |bytes| serde.read(bytes).map_err(&within)
        }),
        write: Rc::new(move |value, out| {
            serde.write(value, out).map_err(&within)?;
            Ok(true)
        }),
    }
}
