//! Batches and logs for the tests of this crate.

use bytes::{BufMut, Bytes, BytesMut};

use super::head::{Head, marker, placed};
use super::segments::Rolling;
use super::{Kept, Log};

/// A batch to be filled.
pub(crate) fn batch() -> Batch {
    Batch {
        at: 0,
        attributes: 0,
        producer: (-1, -1, -1),
        rows: Vec::new(),
    }
}

pub(crate) struct Batch {
    at: i64,
    attributes: i16,
    producer: (i64, i16, i32),
    rows: Vec<(Option<String>, Option<String>)>,
}

impl Batch {
    pub(crate) fn at(mut self, timestamp: i64) -> Self {
        self.at = timestamp;
        self
    }

    pub(crate) fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = (id, epoch, sequence);
        self
    }

    pub(crate) fn transaction(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.attributes = 0x10;
        self.producer(id, epoch, sequence)
    }

    pub(crate) fn row(mut self, key: &str, value: Option<&str>) -> Self {
        self.rows
            .push((Some(key.to_owned()), value.map(str::to_owned)));
        self
    }

    pub(crate) fn build(self) -> Bytes {
        let count = i32::try_from(self.rows.len()).expect("few rows");
        let mut records = BytesMut::new();
        for (i, (key, value)) in self.rows.iter().enumerate() {
            let mut body = BytesMut::new();
            body.put_u8(0);
            varint(&mut body, 0);
            varint(&mut body, i);
            field(&mut body, key.as_deref());
            field(&mut body, value.as_deref());
            varint(&mut body, 0);
            varint(&mut records, body.len());
            records.put_slice(&body);
        }
        let mut out = BytesMut::new();
        out.put_i64(0);
        out.put_i32(i32::try_from(49 + records.len()).expect("small"));
        out.put_i32(0);
        out.put_i8(2);
        out.put_u32(0);
        out.put_i16(self.attributes);
        out.put_i32(count - 1);
        out.put_i64(self.at);
        out.put_i64(self.at);
        out.put_i64(self.producer.0);
        out.put_i16(self.producer.1);
        out.put_i32(self.producer.2);
        out.put_i32(count);
        out.put_slice(&records);
        let sum = crc32c::crc32c(&out[21..]);
        out[17..21].copy_from_slice(&sum.to_be_bytes());
        out.freeze()
    }
}

fn field(out: &mut BytesMut, text: Option<&str>) {
    match text {
        None => out.put_u8(1),
        Some(text) => {
            varint(out, text.len());
            out.put_slice(text.as_bytes());
        }
    }
}

fn varint(out: &mut BytesMut, n: usize) {
    let mut rest = n * 2;
    while rest >= 0x80 {
        out.put_u8(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    out.put_u8(u8::try_from(rest).expect("seven bits"));
}

/// An empty log in memory.
pub(crate) fn log() -> TestLog {
    TestLog {
        log: Log::default(),
        rolling: Rolling {
            bytes: 1 << 30,
            ms: 1 << 40,
        },
        now: 0,
    }
}

pub(crate) struct TestLog {
    pub(crate) log: Log,
    pub(crate) rolling: Rolling,
    pub(crate) now: i64,
}

impl TestLog {
    pub(crate) fn add(&mut self, batch: Batch) {
        self.add_bytes(&batch.build());
    }

    pub(crate) fn end(&mut self, producer: i64, epoch: i16, committed: bool) {
        let at = self.log.end();
        self.add_bytes(&marker(producer, epoch, committed, self.now));
        self.log.end_transaction(producer, committed, at);
    }

    fn add_bytes(&mut self, batch: &Bytes) {
        let batch = placed(batch, self.log.end(), None);
        let head = Head::parse(&batch).expect("a test's batch is whole");
        self.log
            .append(&head, Kept::Here(batch), self.rolling, self.now);
    }
}
