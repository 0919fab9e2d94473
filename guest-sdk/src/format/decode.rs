//! Reading: what [`super::encode`] wrote, and what others did in the same formats. Errors name the
//! field.

use std::borrow::Cow;
use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::wrappers::{JSON, WINDOWED};
use super::{Error, Half};

/// Reads a value; `None` is null.
pub(super) fn decode<T: DeserializeOwned>(bytes: Option<&[u8]>, half: Half) -> Result<T, Error> {
    let form = match half {
        Half::Key => Form::Key,
        Half::Value => Form::Value,
    };
    T::deserialize(Plain { bytes, form }).map_err(|error| match bytes {
        Some(bytes) if matches!(bytes.first(), Some(b'{' | b'[')) => located::<T>(bytes, error),
        _ => error,
    })
}

/// The same error with the path of the field, found by reading once more: keeping the path costs
/// time that good rows do not have.
fn located<T: DeserializeOwned>(bytes: &[u8], error: Error) -> Error {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(located) if located.inner().is_data() && located.path().iter().next().is_some() => {
            Error(format!("field `{}`: {}", located.path(), located.inner()))
        }
        _ => error,
    }
}

pub(super) fn null() -> Error {
    Error("null, and the type has no null; take `Option<…>`".to_owned())
}

/// What a tuple is read from; see the form of the same name in [`super::encode`].
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Value,
    Key,
    Windowed,
    Json,
}

#[derive(Clone, Copy)]
struct Plain<'a> {
    bytes: Option<&'a [u8]>,
    form: Form,
}

impl<'a> Plain<'a> {
    fn present(self) -> Result<&'a [u8], Error> {
        self.bytes.ok_or_else(null)
    }

    fn number<const N: usize>(self, what: &str) -> Result<[u8; N], Error> {
        let bytes = self.present()?;
        bytes.try_into().map_err(|_| {
            let unit = if N == 1 { "byte" } else { "bytes" };
            Error(format!("{} bytes; {what} has {N} {unit}", bytes.len()))
        })
    }

    fn text(self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.present()?).map_err(|error| Error(format!("not utf-8: {error}")))
    }

    /// Hands JSON over to its own deserializer.
    fn json<V>(
        self,
        read: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::SliceRead<'a>>,
        ) -> Result<V, serde_json::Error>,
    ) -> Result<V, Error> {
        let mut json = serde_json::Deserializer::from_slice(self.present()?);
        read(&mut json)
            .and_then(|value| json.end().map(|()| value))
            .map_err(|error| Error(error.to_string()))
    }
}

macro_rules! numbers {
    ($($deserialize:ident $visit:ident $type:ty),*) => { $(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.form == Form::Json {
                return self.json(|json| json.$deserialize(visitor));
            }
            visitor.$visit(<$type>::from_be_bytes(self.number(stringify!($type))?))
        }
    )* };
}

macro_rules! json {
    ($($deserialize:ident ($($name:ident: $type:ty),*)),*) => { $(
        fn $deserialize<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, Error> {
            self.json(|json| json.$deserialize($($name,)* visitor))
        }
    )* };
}

impl<'de> Deserializer<'de> for Plain<'de> {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64
    }

    json! {
        deserialize_any(), deserialize_seq(), deserialize_map(),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.form == Form::Json {
            return self.json(|json| json.deserialize_bool(visitor));
        }
        match self.number("bool")? {
            [0] => visitor.visit_bool(false),
            [1] => visitor.visit_bool(true),
            [other] => Err(Error(format!("byte {other} is no bool"))),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.form == Form::Json {
            return self.json(|json| json.deserialize_str(visitor));
        }
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.form == Form::Json {
            return self.json(|json| json.deserialize_bytes(visitor));
        }
        visitor.visit_borrowed_bytes(self.present()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.bytes, self.form) {
            (None, _) => visitor.visit_none(),
            (Some(_), Form::Json) => self.json(|json| json.deserialize_option(visitor)),
            (Some(_), _) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let form = match name {
            JSON => Form::Json,
            WINDOWED if self.form != Form::Json => Form::Windowed,
            _ => self.form,
        };
        visitor.visit_newtype_struct(Plain { form, ..self })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        match self.form {
            Form::Value | Form::Json => self.json(|json| json.deserialize_tuple(len, visitor)),
            Form::Key => {
                let mut parts = Parts {
                    rest: self.present()?,
                    left: len,
                };
                let value = visitor.visit_seq(&mut parts)?;
                if parts.rest.is_empty() {
                    Ok(value)
                } else {
                    Err(Error(format!("{} bytes too many", parts.rest.len())))
                }
            }
            Form::Windowed => visitor.visit_seq(Times {
                bytes: self.present()?,
                parts: len,
                next: 0,
            }),
        }
    }

    /// A plain name; an enum whose variants hold something is JSON.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.form == Form::Json || self.present()?.first() == Some(&b'{') {
            return self.json(|json| json.deserialize_enum(name, variants, visitor));
        }
        let text: StrDeserializer<'_, Error> = self.text()?.into_deserializer();
        visitor.visit_enum(text)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The parts of a tuple that is a key.
struct Parts<'de> {
    rest: &'de [u8],
    left: usize,
}

impl<'de> de::SeqAccess<'de> for &mut Parts<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Part { parts: self }).map(Some)
    }
}

/// One of them. What is no scalar is JSON, escaped.
struct Part<'p, 'de> {
    parts: &'p mut Parts<'de>,
}

impl<'de> Part<'_, 'de> {
    fn number<const N: usize>(self, signed: bool) -> Result<[u8; N], Error> {
        let (bytes, rest) = self
            .parts
            .rest
            .split_first_chunk()
            .ok_or_else(|| Error("the key ends within a number".to_owned()))?;
        self.parts.rest = rest;
        let mut bytes: [u8; N] = *bytes;
        if signed {
            bytes[0] ^= 0x80;
        }
        Ok(bytes)
    }

    fn bytes(self) -> Result<Cow<'de, [u8]>, Error> {
        let (part, rest) = take_escaped(self.parts.rest)
            .ok_or_else(|| Error("the key ends within a part".to_owned()))?;
        self.parts.rest = rest;
        Ok(part)
    }

    /// A part in JSON. JSON has no zero byte, so that it is never escaped.
    fn json(self) -> Result<Plain<'de>, Error> {
        match self.bytes()? {
            Cow::Borrowed(bytes) => Ok(Plain {
                bytes: Some(bytes),
                form: Form::Json,
            }),
            Cow::Owned(_) => Err(Error("a part of the key is no JSON".to_owned())),
        }
    }
}

/// The bytes of an escaped part and what follows it; `None`: there is no such part.
fn take_escaped(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut part = Cow::Borrowed(&bytes[..0]);
    let mut rest = bytes;
    loop {
        let zero = rest.iter().position(|&byte| byte == 0)?;
        match rest.get(zero + 1)? {
            0 if part.is_empty() => return Some((Cow::Borrowed(&rest[..zero]), &rest[zero + 2..])),
            0 => {
                part.to_mut().extend_from_slice(&rest[..zero]);
                return Some((part, &rest[zero + 2..]));
            }
            &u8::MAX => part.to_mut().extend_from_slice(&rest[..=zero]),
            _ => return None,
        }
        rest = &rest[zero + 2..];
    }
}

macro_rules! part_numbers {
    ($($deserialize:ident $visit:ident $type:ty, $signed:literal);*) => { $(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(<$type>::from_be_bytes(self.number($signed)?))
        }
    )* };
}

macro_rules! part_json {
    ($($deserialize:ident ($($name:ident: $type:ty),*)),*) => { $(
        fn $deserialize<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, Error> {
            self.json()?.$deserialize($($name,)* visitor)
        }
    )* };
}

impl<'de> Deserializer<'de> for Part<'_, 'de> {
    type Error = Error;

    part_numbers! {
        deserialize_i8 visit_i8 i8, true; deserialize_i16 visit_i16 i16, true;
        deserialize_i32 visit_i32 i32, true; deserialize_i64 visit_i64 i64, true;
        deserialize_u8 visit_u8 u8, false; deserialize_u16 visit_u16 u16, false;
        deserialize_u32 visit_u32 u32, false; deserialize_u64 visit_u64 u64, false;
        deserialize_f32 visit_f32 f32, false; deserialize_f64 visit_f64 f64, false
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let [byte] = self.number(false)?;
        visitor.visit_bool(byte != 0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let not_utf8 = |error: &dyn Display| Error(format!("not utf-8: {error}"));
        match self.bytes()? {
            Cow::Borrowed(bytes) => {
                visitor.visit_borrowed_str(std::str::from_utf8(bytes).map_err(|e| not_utf8(&e))?)
            }
            Cow::Owned(bytes) => {
                visitor.visit_string(String::from_utf8(bytes).map_err(|e| not_utf8(&e))?)
            }
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.bytes()? {
            Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
            Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == JSON {
            return visitor.visit_newtype_struct(self.json()?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let mut parts = Parts {
            rest: self.parts.rest,
            left: len,
        };
        let value = visitor.visit_seq(&mut parts)?;
        self.parts.rest = parts.rest;
        Ok(value)
    }

    part_json! {
        deserialize_any(), deserialize_seq(), deserialize_map(),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.bytes()? {
            Cow::Borrowed(bytes) => Plain {
                bytes: Some(bytes),
                form: Form::Key,
            }
            .deserialize_enum(name, variants, visitor),
            Cow::Owned(_) => Err(Error(format!("a part of the key is no {name}"))),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The parts of a windowed key: the key, then one or two times of eight bytes, found from the back.
struct Times<'de> {
    bytes: &'de [u8],
    parts: usize,
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Times<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let times = 8 * (self.parts - 1);
        let Some(key) = self.bytes.len().checked_sub(times) else {
            return Err(Error(format!(
                "shorter than the {times} bytes of its window"
            )));
        };
        let part = match self.next {
            0 => &self.bytes[..key],
            next if next < self.parts => &self.bytes[key + 8 * (next - 1)..][..8],
            _ => return Ok(None),
        };
        self.next += 1;
        let (bytes, form) = (Some(part), Form::Key);
        seed.deserialize(Plain { bytes, form }).map(Some)
    }
}
