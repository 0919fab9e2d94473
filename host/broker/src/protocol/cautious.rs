//! A look at a request before it is decoded: are its lengths possible?
//!
//! The codecs take memory for as many elements as a list claims to have, before they see the first;
//! thirty bytes from a broken client would end the process. So a request is decoded twice, the
//! first time from [`Cautious`] bytes, which lie about lengths: none is longer than what is left,
//! plus one, and a list that claims more than that runs out of bytes instead of memory.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// Decodes a request for its structure alone; its values may be wrong.
pub(super) fn check<Q: Decodable>(request: &Bytes, version: i16) -> anyhow::Result<()> {
    Q::decode(
        &mut Cautious {
            bytes: request.clone(),
            varint: 0,
            shift: 0,
        },
        version,
    )?;
    Ok(())
}

/// Bytes whose numbers are no larger than they may be as lengths.
struct Cautious {
    bytes: Bytes,
    /// What has been read of a number of several bytes.
    varint: u64,
    shift: u32,
}

impl Cautious {
    fn most(&self) -> usize {
        self.bytes.len() + 1
    }
}

impl Buf for Cautious {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, n: usize) {
        self.bytes.advance(n);
    }

    /// A length, or a number that means something else: as this look goes, any will do.
    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.bytes.try_get_i32()?;
        Ok(value.min(i32::try_from(self.most()).unwrap_or(i32::MAX)))
    }

    /// A truth value, or a part of a length.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.bytes.try_get_u8()?;
        self.varint |= u64::from(byte & 0x7f) << self.shift;
        if self.varint > self.most() as u64 {
            let requested = usize::try_from(self.varint).unwrap_or(usize::MAX);
            return Err(TryGetError {
                requested,
                available: self.bytes.len(),
            });
        }
        if byte >= 0x80 && self.shift < 28 {
            self.shift += 7;
        } else {
            (self.varint, self.shift) = (0, 0);
        }
        Ok(byte)
    }
}

impl ByteBuf for Cautious {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.peek_bytes(range)
    }

    fn get_bytes(&mut self, n: usize) -> Bytes {
        self.bytes.get_bytes(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::MetadataRequest;
    use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
    use kafka_protocol::protocol::{Encodable, StrBytes};

    #[test]
    fn a_list_that_claims_more_than_there_is_takes_no_memory() {
        let old = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0]);
        assert!(check::<MetadataRequest>(&old, 1).is_err());
        let new = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0]);
        assert!(check::<MetadataRequest>(&new, 12).is_err());
    }

    #[test]
    fn a_whole_request_passes_in_both_ways_of_writing() {
        let topics = (0..300).map(|n| {
            let name = StrBytes::from_string(format!("topic-{n}"));
            MetadataRequestTopic::default().with_name(Some(name.into()))
        });
        let request = MetadataRequest::default().with_topics(Some(topics.collect()));
        for version in [1, 4, 9, 12] {
            let mut out = bytes::BytesMut::new();
            request.encode(&mut out, version).expect("it can be asked");
            assert!(check::<MetadataRequest>(&out.freeze(), version).is_ok());
        }
    }
}
