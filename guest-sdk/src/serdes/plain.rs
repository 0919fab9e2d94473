//! The serdes that need no schema.

use super::{Malformed, Serde};
use crate::format::{self, Data};

/// JSON, whatever the type is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Data> Serde<T> for Json {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), Malformed> {
        serde_json::to_writer(out, value).map_err(|error| Malformed(error.to_string()))
    }

    fn read(&self, bytes: &[u8]) -> Result<T, Malformed> {
        let read = format::decode_bare::<format::Json<T>>(bytes);
        read.map(|json| json.0)
            .map_err(|error| Malformed(error.to_string()))
    }
}

/// Text in utf-8: what a `String` has anyway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

/// Numbers, the highest byte first, as Kafka's own serdes: what they have anyway.
#[derive(Clone, Copy, Debug, Default)]
pub struct BigEndian;

/// Bytes as they are: what `Vec<u8>` has anyway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes;

macro_rules! plain {
    ($($serde:ident: $($type:ty),*;)*) => { $($(
        impl Serde<$type> for $serde {
            fn write(&self, value: &$type, out: &mut Vec<u8>) -> Result<(), Malformed> {
                let written = format::encode_value(value, out);
                written.map(drop).map_err(|error| Malformed(error.to_string()))
            }

            fn read(&self, bytes: &[u8]) -> Result<$type, Malformed> {
                format::decode_bare(bytes).map_err(|error| Malformed(error.to_string()))
            }

            fn is_plain(&self) -> bool {
                true
            }
        }
    )*)* };
}

plain! {
    Utf8: String;
    BigEndian: i8, i16, i32, i64, u8, u16, u32, u64, f32, f64;
    Bytes: Vec<u8>;
}
