//! Protobuf: messages of prost, plain or as a schema registry has them.

use prost::Message;
use prost::encoding::{decode_varint, encode_varint};

use super::{Malformed, Serde, envelope};

/// The most indexes that lead to a message: one more for each message that it is nested in.
const MAX_PATH: usize = 32;

/// Protobuf. The type is a message of prost, which is told serde's way how it looks inside the
/// service:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use weir::{Topology, serdes::Protobuf, testing::Driver};
///
/// #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
/// struct Sale {
///     #[prost(string, tag = "1")]
///     product: String,
///     #[prost(int64, tag = "2")]
///     pieces: i64,
/// }
///
/// #[weir::service]
/// fn big_sales(t: &mut Topology) {
///     t.value_serde::<Sale>("sales", Protobuf::new().id(12).reads(11));
///     t.stream::<String, Sale>("sales").filter(|sale| sale.pieces > 9).to("big-sales");
/// }
///
/// let mut driver = Driver::new(big_sales);
/// let sale = Sale { product: "socks".to_owned(), pieces: 10 };
/// driver.topic("sales").send("till 1".to_owned(), sale.clone());
/// assert_eq!(driver.topic::<String, Sale>("big-sales").read()[0].1, sale);
/// ```
///
/// Old rows are read as Protobuf does it: fields that the type does not have are skipped, fields
/// that the row does not have are empty.
#[derive(Clone, Debug, Default)]
#[must_use = "give it to `value_serde`"]
pub struct Protobuf {
    id: Option<u32>,
    /// Ids of other schemas that rows may have been written with.
    others: Vec<u32>,
    path: Vec<u32>,
}

impl Protobuf {
    /// Plain Protobuf: no envelope.
    pub fn new() -> Protobuf {
        Protobuf::default()
    }

    /// In the envelope of a schema registry, under this id.
    pub fn id(self, id: u32) -> Protobuf {
        Protobuf {
            id: Some(id),
            ..self
        }
    }

    /// Rows of this id are the same message: an older schema, or a newer one. Needs
    /// [`Protobuf::id`].
    pub fn reads(mut self, id: u32) -> Protobuf {
        self.others.push(id);
        self
    }

    /// Where in its schema the message stands: `[1]` is the second of the file, `[0, 2]` the third
    /// inside of the first. Without it, the first.
    pub fn message(mut self, path: impl Into<Vec<u32>>) -> Protobuf {
        self.path = path.into();
        self
    }

    fn path(&self) -> &[u32] {
        if self.path.is_empty() {
            &[0]
        } else {
            &self.path
        }
    }

    /// The message that was enveloped.
    fn open<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let Some(own) = self.id else {
            return Ok(bytes);
        };
        let (id, mut rest) = envelope::open(bytes)?;
        if id != own && !self.others.contains(&id) {
            let known = std::iter::once(own).chain(self.others.iter().copied());
            return Err(envelope::unknown(id, known, &format!(".reads({id})")));
        }
        let path = read_path(&mut rest)?;
        if path != self.path() {
            return Err(Malformed(format!(
                "message {path:?} of its schema, and this service reads {:?}; say which by \
                 `.message({path:?})`",
                self.path()
            )));
        }
        Ok(rest)
    }
}

impl<T: Message + Default + 'static> Serde<T> for Protobuf {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if let Some(id) = self.id {
            envelope::write(id, out);
            write_path(self.path(), out);
        }
        value
            .encode(out)
            .map_err(|error| Malformed(error.to_string()))
    }

    fn read(&self, bytes: &[u8]) -> Result<T, Malformed> {
        T::decode(self.open(bytes)?).map_err(|error| Malformed(error.to_string()))
    }

    fn check(&self) -> Result<(), Malformed> {
        if self.path.len() > MAX_PATH {
            return Err(Malformed(format!(
                "a message {} deep; at most {MAX_PATH}",
                self.path.len()
            )));
        }
        if self.id.is_none() && !(self.others.is_empty() && self.path.is_empty()) {
            return Err(Malformed(
                "plain Protobuf has no ids and no path; say by `.id(…)` which id is written"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// The number of indexes, then each, as zigzag varints; the first message alone is a zero.
fn write_path(path: &[u32], out: &mut Vec<u8>) {
    if path == [0] {
        out.push(0);
        return;
    }
    encode_varint(path.len() as u64 * 2, out);
    for &index in path {
        encode_varint(u64::from(index) * 2, out);
    }
}

fn read_path(bytes: &mut &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut index = || {
        let zigzag = decode_varint(bytes)
            .map_err(|_| Malformed("ends within the indexes of its message".to_owned()))?;
        u32::try_from(zigzag / 2)
            .ok()
            .filter(|_| zigzag % 2 == 0)
            .ok_or_else(|| Malformed("an index of its message is none".to_owned()))
    };
    match index()? {
        0 => Ok(vec![0]),
        length if length as usize <= MAX_PATH => (0..length).map(|_| index()).collect(),
        length => Err(Malformed(format!(
            "{length} indexes lead to its message; at most {MAX_PATH}"
        ))),
    }
}
