//! A client that says exactly what a test wants said, in the version that it wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation: i32,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the broker listens");
        let limit = Some(Duration::from_secs(20));
        stream
            .set_read_timeout(limit)
            .expect("a time limit can be set");
        Self {
            stream,
            correlation: 0,
        }
    }

    /// Asks, and gets an answer that is complete and nothing more; `None` if the broker hangs up.
    pub(crate) fn try_ask<Q: Request>(&mut self, version: i16, request: &Q) -> Option<Q::Response> {
        let api = ApiKey::try_from(Q::KEY).expect("a request has a key");
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("wire")));
        let mut out = BytesMut::new();
        header
            .encode(&mut out, api.request_header_version(version))
            .expect("a header");
        request
            .encode(&mut out, version)
            .unwrap_or_else(|error| panic!("{api:?} v{version} cannot be asked: {error:#}"));
        self.send(&out)?;
        let mut answer = self.receive()?;
        assert_eq!(answer.get_i32(), self.correlation, "{api:?} v{version}");
        if api.response_header_version(version) >= 1 {
            assert_eq!(answer.get_u8(), 0, "{api:?} v{version}: tags in the header");
        }
        let response = Q::Response::decode(&mut answer, version)
            .unwrap_or_else(|error| panic!("{api:?} v{version} is malformed: {error:#}"));
        assert!(
            answer.is_empty(),
            "{api:?} v{version}: {} bytes too many",
            answer.len()
        );
        Some(response)
    }

    /// Asks; the broker must answer.
    pub(crate) fn ask<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let answer = self.try_ask(version, request);
        answer.unwrap_or_else(|| panic!("api {} v{version}: the broker hung up", Q::KEY))
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Option<()> {
        let length = u32::try_from(request.len()).expect("small");
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(request);
        self.stream.write_all(&framed).ok()
    }

    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).ok()?;
        Some(answer.into())
    }
}

/// A batch with one record. `producer`: id, epoch and sequence of a transactional one.
pub(crate) fn batch(key: &str, value: &str, producer: Option<(i64, i16, i32)>) -> Bytes {
    let mut record = BytesMut::new();
    record.put_slice(&[0, 0, 0]);
    for text in [key, value] {
        record.put_u8(u8::try_from(text.len() * 2).expect("a short text"));
        record.put_slice(text.as_bytes());
    }
    record.put_u8(0);
    let mut body = BytesMut::new();
    body.put_i16(if producer.is_some() { 0x10 } else { 0 });
    body.put_i32(0);
    body.put_i64(1_000_000);
    body.put_i64(1_000_000);
    let (id, epoch, sequence) = producer.unwrap_or((-1, -1, -1));
    body.put_i64(id);
    body.put_i16(epoch);
    body.put_i32(sequence);
    body.put_i32(1);
    body.put_u8(u8::try_from(record.len() * 2).expect("a short record"));
    body.put_slice(&record);
    let mut out = BytesMut::new();
    out.put_i64(0);
    out.put_i32(i32::try_from(body.len() + 9).expect("small"));
    out.put_i32(0);
    out.put_i8(2);
    out.put_u32(crc32c::crc32c(&body));
    out.put_slice(&body);
    out.freeze()
}
