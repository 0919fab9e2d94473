//! Serdes: the formats of topics that others share, chosen for each topic.
//!
//! Inside a service, rows follow their types ([`mod@crate::format`]). A topic that has another
//! format says so once, and closures stay as they are: rows are read as they come in, and written
//! as they leave.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use weir::{Topology, serdes::Json, testing::Driver};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Sale { product: String, pieces: i64 }
//!
//! #[weir::service]
//! fn pieces(t: &mut Topology) {
//!     t.value_serde::<i64>("pieces", Json);        // "3", and not eight bytes
//!     t.stream::<String, Sale>("sales").map_values(|sale| sale.pieces).to("pieces");
//! }
//!
//! let mut driver = Driver::new(pieces);
//! let sale = Sale { product: "socks".to_owned(), pieces: 3 };
//! driver.topic("sales").send("till 1".to_owned(), sale);
//! assert_eq!(driver.topic::<String, Vec<u8>>("pieces").read()[0].1, b"3");
//! ```
//!
//! | serde | types | bytes |
//! |---|---|---|
//! | [`Json`] | all | JSON |
//! | [`Utf8`] | `String` | utf-8 |
//! | [`BigEndian`] | integers, `f32`, `f64` | big-endian, as Kafka's own serdes |
//! | [`Bytes`] | `Vec<u8>` | as they are |
//! | `Avro` (feature `avro`) | all | Avro, plain or as a schema registry has it |
//! | `Protobuf` (feature `protobuf`) | messages of prost | likewise |
//!
//! [`Utf8`], [`BigEndian`] and [`Bytes`] are what those types have anyway: who names them says so,
//! and the compiler checks it.
//!
//! A guest has no network, so it asks no registry: ids are the author's to say, or the operator's
//! (`t.config_or("orders-schema-id", 7)`). A row of an unknown id is refused with the topic, the id
//! and what to add.
//!
//! Null stays null whatever the serde is; one that is declared for `T` serves `Option<T>`, too.
//! `Vec<u8>` is always the bytes as they lie in the topic.
//!
//! *Cost*: one reading where rows come in, one writing where they leave, fused with the stateless
//! steps there. Where an operator with state comes in between, rows reach it in the format of their
//! types: once more written and read. A table of such a topic has a changelog of its own; so a key
//! with a serde of its own is repartitioned before state: its bytes do not say its partition.
//! Protobuf adds about 20 KB to a component and is quicker than JSON; Avro adds 0.65 MB, and takes
//! some microseconds a row: it goes by way of a tree of values.

#[cfg(feature = "avro")]
mod avro;
mod codec;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod envelope;
mod plain;
#[cfg(feature = "protobuf")]
mod protobuf;

#[cfg(feature = "avro")]
pub use avro::Avro;
pub use plain::{BigEndian, Bytes, Json, Utf8};
#[cfg(feature = "protobuf")]
pub use protobuf::Protobuf;

pub(crate) use codec::{Codec, Codecs, Topics};

/// Bytes that are not what the serde says, a value that it cannot write, or a serde that was made
/// of something wrong. The reason is for people; the SDK puts the topic in front.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    /// With a reason: what is wrong, and how to mend it.
    pub fn new(reason: impl Into<String>) -> Malformed {
        Malformed(reason.into())
    }
}

/// Writes and reads the keys or values of a topic. Never sees null.
///
/// ```
/// use weir::serdes::{Malformed, Serde};
///
/// /// Whole cents, as a decimal text.
/// struct Cents;
///
/// impl Serde<i64> for Cents {
///     fn write(&self, cents: &i64, out: &mut Vec<u8>) -> Result<(), Malformed> {
///         out.extend_from_slice(cents.to_string().as_bytes());
///         Ok(())
///     }
///
///     fn read(&self, bytes: &[u8]) -> Result<i64, Malformed> {
///         let text = std::str::from_utf8(bytes).ok();
///         text.and_then(|text| text.parse().ok()).ok_or_else(|| Malformed::new("no number"))
///     }
/// }
///
/// # fn service(t: &mut weir::Topology) {
/// t.value_serde("prices", Cents);
/// # }
/// ```
pub trait Serde<T>: 'static {
    /// Writes a value at the end of `out`. After an error, what was written there is thrown away.
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), Malformed>;

    /// Reads a value that takes all of the bytes.
    fn read(&self, bytes: &[u8]) -> Result<T, Malformed>;

    /// What is wrong with the serde itself, asked once, when it is declared.
    fn check(&self) -> Result<(), Malformed> {
        Ok(())
    }

    /// Whether the bytes are those that the type has anyway: then nothing is written anew.
    fn is_plain(&self) -> bool {
        false
    }
}
