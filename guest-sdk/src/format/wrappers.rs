//! Types that choose a format: JSON for a scalar, and the windowed keys of Kafka Streams.
//!
//! They tell the SDK's serializer by the name of a serde newtype; any other serializer sees what
//! they wrap.

use serde::de::{DeserializeOwned, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

pub(super) const JSON: &str = "$weir::Json";
pub(super) const WINDOWED: &str = "$weir::Windowed";

/// JSON whatever the type is: `Json("ada".to_owned())` is `"ada"` with its quotes, `Json(5)` is
/// `5`.
///
/// Needed for scalars, for tuples in keys, and for `serde_json::Value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(JSON, &self.0)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json<T>, D::Error> {
        wrapped(deserializer, JSON).map(Json)
    }
}

/// The key of a tumbling or hopping window: the bytes of the key, then the window's start, as Kafka
/// Streams has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key that was grouped by.
    pub key: K,
    /// Milliseconds since the epoch.
    pub start: i64,
}

impl<K: Serialize> Serialize for Windowed<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(WINDOWED, &(&self.key, self.start))
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Windowed<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Windowed<K>, D::Error> {
        let (key, start) = wrapped(deserializer, WINDOWED)?;
        Ok(Windowed { key, start })
    }
}

/// The key of a session: the bytes of the key, the time of its last row, the time of its first, as
/// Kafka Streams has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session<K> {
    /// The key that was grouped by.
    pub key: K,
    /// Timestamp of the first row, milliseconds since the epoch.
    pub start: i64,
    /// Timestamp of the last row.
    pub end: i64,
}

impl<K: Serialize> Serialize for Session<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(WINDOWED, &(&self.key, self.end, self.start))
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Session<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Session<K>, D::Error> {
        let (key, end, start) = wrapped(deserializer, WINDOWED)?;
        Ok(Session { key, start, end })
    }
}

/// What stands behind a newtype of this name.
fn wrapped<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
    name: &'static str,
) -> Result<T, D::Error> {
    struct Inner<T>(std::marker::PhantomData<T>);

    impl<'de, T: DeserializeOwned> serde::de::Visitor<'de> for Inner<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("what it wraps")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
            T::deserialize(inner)
        }
    }

    deserializer.deserialize_newtype_struct(name, Inner(std::marker::PhantomData))
}
