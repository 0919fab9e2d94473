//! The fixed header of a record batch (format 2), read and written byte by byte.
//!
//! Batches are kept as they were sent. The broker changes four fields and no other: the base offset
//! and the leader's epoch, which the checksum does not cover, and for topics stamped by the broker
//! the timestamp type and the newest timestamp, which it does. Codecs that build records out of a
//! batch lose duplicate headers: none is used here.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::code::Code;

/// Bytes of the header, from the base offset to the count of records.
pub(crate) const HEAD_BYTES: usize = 61;
/// Where the part that the checksum covers begins: at the attributes.
const COVERED: usize = 21;
const CODEC: i16 = 0x07;
const APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Offset of the first record.
    pub(crate) base: i64,
    /// Bytes of the whole batch, header included.
    pub(crate) size: usize,
    attributes: i16,
    /// Offset of the last record, counted from `base`.
    pub(crate) last_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    /// Negative: the producer is not idempotent.
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) count: i32,
}

impl Head {
    /// Reads a header and checks that the batch is whole. The checksum is [`Self::verify`]'s.
    pub(crate) fn parse(batch: &[u8]) -> Result<Self, Code> {
        let head = Self::read(batch)?;
        if head.size < HEAD_BYTES || batch.len() < head.size {
            return Err(Code::CorruptMessage);
        }
        Ok(head)
    }

    /// Reads a header that was kept without its records.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, Code> {
        if bytes.len() < HEAD_BYTES {
            return Err(Code::CorruptMessage);
        }
        let base = bytes.get_i64();
        let size = usize::try_from(bytes.get_i32()).map_err(|_| Code::CorruptMessage)? + 12;
        bytes.advance(4);
        if bytes.get_i8() != 2 {
            return Err(Code::UnsupportedForMessageFormat);
        }
        bytes.advance(4);
        Ok(Self {
            base,
            size,
            attributes: bytes.get_i16(),
            last_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer: bytes.get_i64(),
            epoch: bytes.get_i16(),
            sequence: bytes.get_i32(),
            count: bytes.get_i32(),
        })
    }

    /// Compares the checksum. Cost: one pass over the batch.
    pub(crate) fn verify(&self, batch: &[u8]) -> Result<(), Code> {
        let said = (&batch[17..COVERED]).get_u32();
        if crc32c::crc32c(&batch[COVERED..self.size]) == said {
            Ok(())
        } else {
            Err(Code::CorruptMessage)
        }
    }

    /// Offset of the last record.
    pub(crate) fn last(&self) -> i64 {
        self.base + i64::from(self.last_delta)
    }

    /// Sequence of the last record; it wraps to 0 after the largest one.
    pub(crate) fn last_sequence(&self) -> i32 {
        add_sequence(self.sequence, self.last_delta)
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) fn is_idempotent(&self) -> bool {
        self.producer >= 0
    }

    /// Whether the broker's clock stamped the records, and not the producer's.
    pub(crate) fn is_stamped_on_append(&self) -> bool {
        self.attributes & APPEND_TIME != 0
    }

    /// Number of the compression codec; 0 is none.
    pub(crate) fn codec(&self) -> i16 {
        self.attributes & CODEC
    }
}

/// The sequence `n` after `sequence`.
pub(crate) fn add_sequence(sequence: i32, n: i32) -> i32 {
    let sum = (i64::from(sequence) + i64::from(n)) & i64::from(i32::MAX);
    i32::try_from(sum).expect("the sum is masked to 31 bits")
}

/// A copy of `batch` at offset `base`; with `stamp`, every record bears that time.
pub(crate) fn placed(batch: &[u8], base: i64, stamp: Option<i64>) -> Bytes {
    let mut out = BytesMut::with_capacity(batch.len());
    out.put_i64(base);
    out.put_slice(&batch[8..12]);
    out.put_i32(0);
    out.put_slice(&batch[16..]);
    if let Some(now) = stamp {
        let attributes = (&out[21..23]).get_i16() | APPEND_TIME;
        out[21..23].copy_from_slice(&attributes.to_be_bytes());
        out[35..43].copy_from_slice(&now.to_be_bytes());
        seal(&mut out);
    }
    out.freeze()
}

/// The batch that holds `records` in place of the records of `batch`: same offsets, same producer.
pub(crate) fn rewritten(batch: &[u8], records: &[u8], count: i32) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD_BYTES + records.len());
    out.put_slice(&batch[..HEAD_BYTES]);
    out.put_slice(records);
    let length = i32::try_from(out.len() - 12).expect("a compacted batch is smaller than before");
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[57..61].copy_from_slice(&count.to_be_bytes());
    seal(&mut out);
    out.freeze()
}

/// The batch that ends a transaction on a partition, at offset 0.
pub(crate) fn marker(producer: i64, epoch: i16, committed: bool, now: i64) -> Bytes {
    // Length (varint 16), attributes, two deltas, key of 4 bytes, value of 6, no headers.
    let mut record = BytesMut::with_capacity(17);
    record.put_slice(&[32, 0, 0, 0, 8]);
    record.put_i16(0);
    record.put_i16(i16::from(committed));
    record.put_slice(&[12, 0, 0, 0, 0, 0, 0, 0]);

    let mut out = BytesMut::with_capacity(HEAD_BYTES + record.len());
    out.put_i64(0);
    out.put_i32(i32::try_from(HEAD_BYTES + record.len() - 12).expect("a marker is small"));
    out.put_i32(0);
    out.put_i8(2);
    out.put_u32(0);
    out.put_i16(TRANSACTIONAL | CONTROL);
    out.put_i32(0);
    out.put_i64(now);
    out.put_i64(now);
    out.put_i64(producer);
    out.put_i16(epoch);
    out.put_i32(-1);
    out.put_i32(1);
    out.put_slice(&record);
    seal(&mut out);
    out.freeze()
}

fn seal(batch: &mut BytesMut) {
    let sum = crc32c::crc32c(&batch[COVERED..]);
    batch[17..COVERED].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::log::records;

    #[test]
    fn a_marker_is_a_whole_batch_that_says_how_the_transaction_ended() {
        for committed in [false, true] {
            let batch = marker(7, 3, committed, 1_000);
            let head = Head::parse(&batch).unwrap();
            head.verify(&batch).unwrap();
            assert!(head.is_control() && head.is_transactional());
            assert_eq!((head.producer, head.epoch, head.count), (7, 3, 1));
            let rows = records::of(&batch, &head).unwrap();
            assert_eq!(
                rows[0].key.as_deref(),
                Some(&[0, 0, 0, u8::from(committed)][..])
            );
        }
    }

    #[test]
    fn a_stamped_batch_has_the_brokers_time_and_a_good_checksum() {
        let batch = placed(&marker(7, 3, true, 1_000), 42, Some(2_000));
        let head = Head::parse(&batch).unwrap();
        head.verify(&batch).unwrap();
        assert!(head.is_stamped_on_append());
        assert_eq!((head.base, head.max_timestamp), (42, 2_000));
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let mut batch = BytesMut::from(&marker(7, 3, true, 1_000)[..]);
        batch[70] ^= 1;
        let head = Head::parse(&batch).unwrap();
        assert_eq!(head.verify(&batch), Err(Code::CorruptMessage));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
    }
}
