//! The answer to a fetch, as bytes: batches are sent from where they are, without being copied.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::code::Code;
use crate::log::Piece;

/// The first version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;
/// Runs of bytes shorter than this are copied: a run costs a part of a system call.
const WORTH_A_RUN: usize = 4096;

/// What is said about a partition in any case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) code: Option<Code>,
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
    pub(super) log_start: i64,
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        Self {
            code: Some(code),
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
        }
    }
}

/// What was found in a partition.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) partition: i32,
    pub(super) answer: Answer,
    pub(super) pieces: Vec<Piece>,
    pub(super) bytes: usize,
    /// For readers of committed records: producer and first offset.
    pub(super) aborted: Option<Vec<(i64, i64)>>,
}

/// The answers for the partitions of a topic.
pub(super) struct TopicAnswer {
    pub(super) id: Uuid,
    pub(super) name: StrBytes,
    pub(super) partitions: Vec<(i32, Result<Found, Answer>)>,
}

/// Writes the beginning to `out` and returns what follows. Every piece must hold its bytes.
pub(super) fn encode(version: i16, topics: &[TopicAnswer], out: &mut BytesMut) -> Vec<Bytes> {
    let mut frame = Frame {
        version,
        out: BytesMut::new(),
        runs: Vec::new(),
    };
    frame.out.put_i32(0);
    if version >= 7 {
        frame.out.put_i16(0);
        // No session: every fetch names all its partitions.
        frame.out.put_i32(0);
    }
    frame.length(topics.len());
    for topic in topics {
        frame.text(topic.name.as_str());
        frame.length(topic.partitions.len());
        for (index, answer) in &topic.partitions {
            frame.partition(*index, answer);
        }
        frame.no_tags();
    }
    frame.no_tags();
    frame.cut();
    let mut runs = frame.runs.into_iter();
    if let Some(first) = runs.next() {
        out.put_slice(&first);
    }
    runs.collect()
}

struct Frame {
    version: i16,
    out: BytesMut,
    runs: Vec<Bytes>,
}

impl Frame {
    fn partition(&mut self, index: i32, answer: &Result<Found, Answer>) {
        let (place, found) = match answer {
            Ok(found) => (&found.answer, Some(found)),
            Err(place) => (place, None),
        };
        self.out.put_i32(index);
        self.out.put_i16(place.code.map_or(0, |code| code.code()));
        self.out.put_i64(place.high_watermark);
        self.out.put_i64(place.last_stable);
        if self.version >= 5 {
            self.out.put_i64(place.log_start);
        }
        self.aborted(found.and_then(|found| found.aborted.as_deref()));
        if self.version >= 11 {
            self.out.put_i32(-1);
        }
        self.records(found.map_or(&[], |found| found.pieces.as_slice()));
        self.no_tags();
    }

    fn aborted(&mut self, aborted: Option<&[(i64, i64)]>) {
        let Some(aborted) = aborted else {
            return if self.version >= FLEXIBLE {
                self.out.put_u8(0)
            } else {
                self.out.put_i32(-1)
            };
        };
        self.length(aborted.len());
        for (producer, first) in aborted {
            self.out.put_i64(*producer);
            self.out.put_i64(*first);
            self.no_tags();
        }
    }

    fn records(&mut self, pieces: &[Piece]) {
        let bytes = pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Stored(base) => unreachable!("the batch at {base} was not loaded"),
        });
        self.length(bytes.clone().map(Bytes::len).sum());
        for run in bytes {
            if run.len() < WORTH_A_RUN {
                self.out.put_slice(run);
            } else {
                self.cut();
                self.runs.push(run.clone());
            }
        }
    }

    /// Ends the run that is being written.
    fn cut(&mut self) {
        let run = self.out.split().freeze();
        self.runs.push(run);
    }

    fn text(&mut self, text: &str) {
        if self.version >= FLEXIBLE {
            self.length(text.len());
        } else {
            self.out
                .put_u16(u16::try_from(text.len()).expect("a topic's name is short"));
        }
        self.out.put_slice(text.as_bytes());
    }

    /// The length of a list, or of bytes.
    fn length(&mut self, n: usize) {
        if self.version < FLEXIBLE {
            return self
                .out
                .put_i32(i32::try_from(n).expect("an answer is limited"));
        }
        let mut rest = n + 1;
        while rest >= 0x80 {
            self.out
                .put_u8(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
            rest >>= 7;
        }
        self.out.put_u8(u8::try_from(rest).expect("seven bits"));
    }

    fn no_tags(&mut self) {
        if self.version >= FLEXIBLE {
            self.out.put_u8(0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use kafka_protocol::messages::FetchResponse;
    use kafka_protocol::protocol::Decodable;

    #[test]
    fn every_version_says_the_same_as_the_codec_reads() {
        let small = Bytes::from(vec![1; 100]);
        let large = Bytes::from(vec![2; 300_000]);
        let answer = Answer {
            code: None,
            high_watermark: 9,
            last_stable: 8,
            log_start: 3,
        };
        let found = Found {
            partition: 0,
            answer,
            pieces: [&small, &large, &small]
                .map(|run| Piece::Bytes(run.clone()))
                .to_vec(),
            bytes: 300_200,
            aborted: Some(vec![(7, 4)]),
        };
        let topics = [TopicAnswer {
            id: Uuid::nil(),
            name: StrBytes::from_static_str("orders"),
            partitions: vec![
                (0, Ok(found)),
                (1, Err(Answer::from(Code::OffsetOutOfRange))),
            ],
        }];
        for version in 4..=12 {
            let mut out = BytesMut::new();
            let tail = encode(version, &topics, &mut out);
            assert!(
                tail.iter().any(|run| run.as_ptr() == large.as_ptr()),
                "it was not copied"
            );
            tail.iter().for_each(|run| out.put_slice(run));
            let mut bytes = out.freeze();
            let read = FetchResponse::decode(&mut bytes, version).unwrap();
            assert!(bytes.is_empty());
            let [first, second] = &read.responses[0].partitions[..] else {
                panic!("two")
            };
            assert_eq!(first.records.as_ref().unwrap().len(), 300_200);
            assert_eq!((first.high_watermark, first.last_stable_offset), (9, 8));
            let aborted = first.aborted_transactions.as_ref().unwrap();
            assert_eq!((aborted[0].producer_id.0, aborted[0].first_offset), (7, 4));
            assert_eq!((second.partition_index, second.error_code), (1, 1));
        }
    }
}
