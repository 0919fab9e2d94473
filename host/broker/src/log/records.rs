//! The records inside a batch, found without being decoded.
//!
//! A record is a run of bytes with a key and a time: enough for compaction and for the search by
//! timestamp. Nothing is trusted: a batch whose records do not add up is corrupt.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::compression::{Compressor, Decompressor, Gzip, Lz4, Snappy, Zstd};

use super::head::{HEAD_BYTES, Head, rewritten};
use crate::code::Code;

/// One record.
pub(crate) struct Record {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Bytes>,
    /// Whether its value is null: it deletes its key.
    pub(crate) is_tombstone: bool,
    /// The record with its length, uncompressed.
    raw: Bytes,
}

/// All records of `batch`. Cost: one pass, after decompression.
pub(crate) fn of(batch: &Bytes, head: &Head) -> Result<Vec<Record>, Code> {
    let mut bytes = unpacked(batch.slice(HEAD_BYTES..head.size), head.codec())?;
    let count = usize::try_from(head.count).map_err(|_| Code::CorruptMessage)?;
    let mut records = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let whole = bytes.clone();
        let length = length(&mut bytes)?.ok_or(Code::CorruptMessage)?;
        let prefix = whole.len() - bytes.len();
        let body = taken(&mut bytes, length)?;
        records.push(record(body, whole.slice(..prefix + length), head)?);
    }
    if bytes.is_empty() {
        Ok(records)
    } else {
        Err(Code::CorruptMessage)
    }
}

fn record(mut body: Bytes, raw: Bytes, head: &Head) -> Result<Record, Code> {
    taken(&mut body, 1)?;
    let timestamp = head.base_timestamp.wrapping_add(varint(&mut body)?);
    let offset = head.base.wrapping_add(varint(&mut body)?);
    let key = match length(&mut body)? {
        Some(n) => Some(taken(&mut body, n)?),
        None => None,
    };
    let is_tombstone = length(&mut body)?.is_none();
    let timestamp = if head.is_stamped_on_append() {
        head.max_timestamp
    } else {
        timestamp
    };
    Ok(Record {
        offset,
        timestamp,
        key,
        is_tombstone,
        raw,
    })
}

/// `batch` with only these of its records, in the codec that it had.
pub(crate) fn with_only(batch: &Bytes, head: &Head, kept: &[&Record]) -> Result<Bytes, Code> {
    let mut plain = BytesMut::with_capacity(kept.iter().map(|record| record.raw.len()).sum());
    for record in kept {
        plain.extend_from_slice(&record.raw);
    }
    let packed = packed(plain, head.codec())?;
    let count = i32::try_from(kept.len()).map_err(|_| Code::CorruptMessage)?;
    Ok(rewritten(batch, &packed, count))
}

fn unpacked(mut bytes: Bytes, codec: i16) -> Result<Bytes, Code> {
    let whole = |bytes: &mut Bytes| Ok(bytes.split_off(0));
    let result = match codec {
        0 => return Ok(bytes),
        1 => Gzip::decompress(&mut bytes, whole),
        2 => Snappy::decompress(&mut bytes, whole),
        3 => Lz4::decompress(&mut bytes, whole),
        4 => Zstd::decompress(&mut bytes, whole),
        _ => return Err(Code::UnsupportedCompressionType),
    };
    result.map_err(|_| Code::CorruptMessage)
}

fn packed(plain: BytesMut, codec: i16) -> Result<BytesMut, Code> {
    let mut out = BytesMut::new();
    let fill = |buffer: &mut BytesMut| {
        buffer.extend_from_slice(&plain);
        Ok(())
    };
    match codec {
        0 => return Ok(plain),
        1 => Gzip::compress(&mut out, fill),
        2 => Snappy::compress(&mut out, fill),
        3 => Lz4::compress(&mut out, fill),
        4 => Zstd::compress(&mut out, fill),
        _ => return Err(Code::UnsupportedCompressionType),
    }
    .map_err(|_| Code::CorruptMessage)?;
    Ok(out)
}

fn taken(bytes: &mut Bytes, n: usize) -> Result<Bytes, Code> {
    if bytes.len() < n {
        Err(Code::CorruptMessage)
    } else {
        Ok(bytes.split_to(n))
    }
}

/// A length; -1 is none.
fn length(bytes: &mut Bytes) -> Result<Option<usize>, Code> {
    match varint(bytes)? {
        -1 => Ok(None),
        n => usize::try_from(n)
            .map(Some)
            .map_err(|_| Code::CorruptMessage),
    }
}

fn varint(bytes: &mut Bytes) -> Result<i64, Code> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        if bytes.is_empty() {
            return Err(Code::CorruptMessage);
        }
        let byte = bytes.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    Err(Code::CorruptMessage)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::log::testing::batch;

    #[test]
    fn keys_times_and_tombstones_are_found_in_every_codec() {
        let plain = batch().at(100).row("a", Some("1")).row("b", None).build();
        let head = Head::parse(&plain).unwrap();
        let rows = of(&plain, &head).unwrap();
        let keep: Vec<&Record> = rows.iter().collect();
        for codec in 0..=4_i16 {
            let mut sent = BytesMut::from(&plain[..]);
            sent[22] = u8::try_from(codec).unwrap();
            let head = Head::parse(&sent).unwrap();
            let again = with_only(&sent.freeze(), &head, &keep).unwrap();
            let head = Head::parse(&again).unwrap();
            head.verify(&again).unwrap();
            let rows = of(&again, &head).unwrap();
            assert_eq!(head.codec(), codec);
            assert_eq!(rows.len(), 2);
            assert_eq!(
                (rows[0].key.as_deref(), rows[0].is_tombstone),
                (Some(&b"a"[..]), false)
            );
            assert_eq!(
                (rows[1].key.as_deref(), rows[1].is_tombstone),
                (Some(&b"b"[..]), true)
            );
            assert_eq!((rows[1].offset, rows[1].timestamp), (1, 100));
        }
    }

    #[test]
    fn records_that_do_not_add_up_are_corrupt() {
        let whole = batch().row("a", Some("1")).build();
        for cut in HEAD_BYTES..whole.len() {
            let mut head = Head::parse(&whole).unwrap();
            head.size = cut;
            assert_eq!(of(&whole, &head).err(), Some(Code::CorruptMessage));
        }
    }
}
