//! What topics are filled with: rows that follow from their index alone.
//!
//! So the load generator needs no memory, and the verifier knows every row without reading the
//! input. A value of bytes begins with its row's index, a JSON document carries it as `id`: a row
//! that is lost, doubled or changed is seen.

use serde::{Deserialize, Serialize};

/// The rows of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: u64,
    /// Distinct keys. As many as rows: every key once, in order.
    pub(crate) keys: u64,
    /// What the values are.
    pub(crate) body: Body,
    /// Event time of the first row, in ms since the epoch.
    pub(crate) first_ms: i64,
    /// Event time between two rows.
    pub(crate) step_us: u64,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes, at least 8: the index (big-endian), then noise.
    Bytes(usize),
    /// A [`Line`] as JSON, about 110 bytes.
    Json,
}

/// A line of an order: what `map` reads.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    id: u64,
    customer: u64,
    product: String,
    quantity: u64,
    price_cents: u64,
    note: String,
}

/// The line with what it costs: what `map` writes.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Priced {
    /// The row's index.
    pub(crate) id: u64,
    customer: u64,
    product: String,
    total_cents: u64,
    note: String,
}

const PRODUCTS: [&str; 3] = ["JUMPERS", "UNDERPANTS", "STOCKINGS"];

impl Rows {
    /// The number of row `i`'s key.
    pub(crate) fn key(&self, i: u64) -> u64 {
        if self.keys == self.count {
            i
        } else {
            mix(i.rotate_left(32)) % self.keys
        }
    }

    /// Replaces `value` by the value of row `i`.
    pub(crate) fn value(&self, i: u64, value: &mut Vec<u8>) {
        value.clear();
        match self.body {
            Body::Bytes(size) => {
                value.extend_from_slice(&i.to_be_bytes());
                let words = (0..).map(|word| mix(i ^ word));
                value.extend(
                    words
                        .flat_map(u64::to_be_bytes)
                        .take(size.saturating_sub(8)),
                );
            }
            Body::Json => serde_json::to_writer(value, &self.line(i))
                .expect("a line has text keys, and a vector takes all"),
        }
    }

    /// Event time of row `i`, in ms since the epoch.
    pub(crate) fn timestamp_ms(&self, i: u64) -> i64 {
        self.first_ms + (i * self.step_us / 1000).cast_signed()
    }

    /// What `map` makes of row `i`.
    pub(crate) fn priced(&self, i: u64) -> Priced {
        let line = self.line(i);
        Priced {
            id: line.id,
            customer: line.customer,
            product: line.product,
            total_cents: line.quantity * line.price_cents,
            note: line.note,
        }
    }

    fn line(&self, i: u64) -> Line {
        let random = mix(i);
        Line {
            id: i,
            customer: self.key(i),
            product: PRODUCTS[(i % 3) as usize].to_owned(),
            quantity: 1 + random % 9,
            price_cents: 100 + (random >> 8) % 10_000,
            note: "leave it at the \"back\" door".to_owned(),
        }
    }
}

/// The bytes of the key of this number.
pub(crate) fn key_bytes(number: u64) -> Vec<u8> {
    format!("k{number:08}").into_bytes()
}

/// The number of a key; `None`: it is none of ours.
pub(crate) fn key_number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.strip_prefix(b"k").filter(|it| it.len() == 8)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// SplitMix64: a number that looks random, the same for the same input everywhere.
pub(crate) fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn rows(body: Body) -> Rows {
        Rows {
            count: 1000,
            keys: 10,
            body,
            first_ms: 5,
            step_us: 500,
        }
    }

    #[test]
    fn a_value_of_bytes_has_its_size_and_begins_with_the_index() {
        let mut value = b"what was there before".to_vec();
        rows(Body::Bytes(100)).value(7, &mut value);
        assert_eq!(value.len(), 100);
        assert_eq!(value[..8], 7u64.to_be_bytes());
        let seventh = value.clone();
        rows(Body::Bytes(100)).value(8, &mut value);
        assert_ne!(value[8..], seventh[8..]);
    }

    #[test]
    fn a_json_value_is_a_line_of_about_a_hundred_bytes() {
        let mut value = Vec::new();
        rows(Body::Json).value(7, &mut value);
        let line: Line = serde_json::from_slice(&value).unwrap();
        assert_eq!((line.id, line.product.as_str()), (7, "UNDERPANTS"));
        assert!((100..160).contains(&value.len()), "{} bytes", value.len());
    }

    #[test]
    fn keys_come_back_as_their_numbers() {
        assert_eq!(key_number(&key_bytes(123)), Some(123));
        assert_eq!(key_number(b"k123"), None);
        assert_eq!(key_number(b"x00000123"), None);
    }

    #[test]
    fn as_many_keys_as_rows_come_once_each_and_in_order() {
        let mut rows = rows(Body::Json);
        assert!((0..1000).all(|i| rows.key(i) < 10));
        rows.keys = rows.count;
        assert!((0..1000).all(|i| rows.key(i) == i));
    }

    #[test]
    fn event_time_goes_on_in_steps() {
        assert_eq!(rows(Body::Json).timestamp_ms(4), 7);
    }
}
