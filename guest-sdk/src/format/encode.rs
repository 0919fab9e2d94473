//! Writing: scalars plain, tuples of keys in order, and word for everything else that it is JSON's.

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use super::wrappers::{JSON, WINDOWED};
use super::{Error, Half};

/// Writes `value` at the end of `out`; `false`: it is null.
pub(super) fn encode<T: Serialize>(
    value: &T,
    half: Half,
    out: &mut Vec<u8>,
) -> Result<bool, Error> {
    let start = out.len();
    let form = match half {
        Half::Key => Form::Key,
        Half::Value => Form::Value,
    };
    match value.serialize(Plain { out, form }) {
        Ok(written) => Ok(written),
        Err(Stop::NotPlain) => {
            out.truncate(start);
            serde_json::to_writer(out, value)
                .map(|()| true)
                .map_err(|error| Error(error.to_string()))
        }
        Err(Stop::Message(message)) => Err(Error(message)),
    }
}

/// What a tuple means.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// JSON.
    Value,
    /// Parts in order, each escaped and ended.
    Key,
    /// A part of such a tuple.
    Part,
    /// A key and times, one after the other.
    Windowed,
}

struct Plain<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
}

/// Why the plain form was left.
#[derive(Debug)]
enum Stop {
    NotPlain,
    Message(String),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::NotPlain => f.write_str("not a scalar"),
            Stop::Message(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: std::fmt::Display>(message: T) -> Stop {
        Stop::Message(message.to_string())
    }
}

impl Plain<'_> {
    fn bytes(self, bytes: &[u8]) -> Result<bool, Stop> {
        if self.form == Form::Part {
            push_escaped(self.out, bytes);
        } else {
            self.out.extend_from_slice(bytes);
        }
        Ok(true)
    }

    /// A number: big-endian; as a part of a key with the sign turned, so that negative ones come
    /// first.
    fn number<const N: usize>(self, mut bytes: [u8; N], signed: bool) -> Result<bool, Stop> {
        if signed && self.form == Form::Part {
            bytes[0] ^= 0x80;
        }
        self.out.extend_from_slice(&bytes);
        Ok(true)
    }
}

/// Appends bytes that something will follow: a zero is written 0 255, the end 0 0. Sorts as the
/// bytes do.
pub(super) fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(u8::MAX);
        }
    }
    out.extend([0, 0]);
}

impl<'a> Serializer for Plain<'a> {
    type Ok = bool;
    type Error = Stop;
    type SerializeSeq = Impossible<bool, Stop>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Impossible<bool, Stop>;
    type SerializeTupleVariant = Impossible<bool, Stop>;
    type SerializeMap = Impossible<bool, Stop>;
    type SerializeStruct = Impossible<bool, Stop>;
    type SerializeStructVariant = Impossible<bool, Stop>;

    fn serialize_bool(self, v: bool) -> Result<bool, Stop> {
        self.number([u8::from(v)], false)
    }
    fn serialize_i8(self, v: i8) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), true)
    }
    fn serialize_i16(self, v: i16) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), true)
    }
    fn serialize_i32(self, v: i32) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), true)
    }
    fn serialize_i64(self, v: i64) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), true)
    }
    fn serialize_u8(self, v: u8) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), false)
    }
    fn serialize_u16(self, v: u16) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), false)
    }
    fn serialize_u32(self, v: u32) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), false)
    }
    fn serialize_u64(self, v: u64) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), false)
    }
    fn serialize_f32(self, v: f32) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), false)
    }
    fn serialize_f64(self, v: f64) -> Result<bool, Stop> {
        self.number(v.to_be_bytes(), false)
    }
    fn serialize_char(self, v: char) -> Result<bool, Stop> {
        self.bytes(v.encode_utf8(&mut [0; 4]).as_bytes())
    }
    fn serialize_str(self, v: &str) -> Result<bool, Stop> {
        self.bytes(v.as_bytes())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<bool, Stop> {
        self.bytes(v)
    }
    fn serialize_none(self) -> Result<bool, Stop> {
        match self.form {
            Form::Part | Form::Windowed => Err(Stop::Message(
                "a part of a key cannot be null; wrap the part in `Json`".to_owned(),
            )),
            Form::Key | Form::Value => Ok(false),
        }
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<bool, Stop> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<bool, Stop> {
        self.serialize_none()
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<bool, Stop> {
        self.serialize_none()
    }
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<bool, Stop> {
        self.bytes(variant.as_bytes())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<bool, Stop> {
        match name {
            JSON => Err(Stop::NotPlain),
            WINDOWED if self.form != Form::Part => value.serialize(Plain {
                out: self.out,
                form: Form::Windowed,
            }),
            _ => value.serialize(self),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<bool, Stop> {
        Err(Stop::NotPlain)
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, Stop> {
        Err(Stop::NotPlain)
    }
    fn serialize_tuple(self, _len: usize) -> Result<Parts<'a>, Stop> {
        match self.form {
            Form::Value => Err(Stop::NotPlain),
            Form::Key | Form::Part | Form::Windowed => Ok(Parts {
                out: self.out,
                form: self.form,
            }),
        }
    }
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, Stop> {
        Err(Stop::NotPlain)
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Stop> {
        Err(Stop::NotPlain)
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, Stop> {
        Err(Stop::NotPlain)
    }
    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, Stop> {
        Err(Stop::NotPlain)
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Stop> {
        Err(Stop::NotPlain)
    }
}

/// The parts of a tuple that is a key. A part that is no scalar is JSON, escaped.
struct Parts<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
}

impl ser::SerializeTuple for Parts<'_> {
    type Ok = bool;
    type Error = Stop;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Stop> {
        let (windowed, start) = (self.form == Form::Windowed, self.out.len());
        let form = if windowed { Form::Key } else { Form::Part };
        let out = &mut *self.out;
        match part.serialize(Plain { out, form }) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Message("a windowed key cannot be null".to_owned())),
            Err(Stop::NotPlain) => {
                self.out.truncate(start);
                let json = serde_json::to_vec(part).map_err(ser::Error::custom)?;
                if windowed {
                    self.out.extend_from_slice(&json);
                } else {
                    push_escaped(self.out, &json);
                }
                Ok(())
            }
            Err(stop) => Err(stop),
        }
    }

    fn end(self) -> Result<bool, Stop> {
        Ok(true)
    }
}
