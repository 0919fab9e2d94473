//! Idempotence: the last batches of each producer on one partition.
//!
//! A batch that comes again is answered with the offset it has; a gap is refused. Five batches are
//! remembered, as many as a producer may have under way.

use std::collections::{HashMap, VecDeque};

use super::Admission;
use super::head::{Head, add_sequence};
use crate::code::Code;

const REMEMBERED: usize = 5;

#[derive(Clone, Copy, Debug)]
struct Batch {
    first: i32,
    last: i32,
    base: i64,
}

/// One producer, as this partition knows it.
#[derive(Debug, Default)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// When it last wrote, by the broker's clock.
    pub(crate) seen: i64,
    batches: VecDeque<Batch>,
}

impl Producer {
    /// Sequence of its last record; -1 if none is remembered.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last)
    }
}

/// The producers of a log.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
}

impl Producers {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.known.iter().map(|(id, producer)| (*id, producer))
    }

    /// Judges a batch of an idempotent producer.
    pub(crate) fn admit(&self, head: &Head) -> Result<Admission, Code> {
        // Retention may have taken all that was known of a producer: whatever it sends is next.
        let Some(known) = self.known.get(&head.producer) else {
            return Ok(Admission::New);
        };
        if head.epoch < known.epoch {
            return Err(Code::InvalidProducerEpoch);
        }
        let Some(newest) = known.batches.back() else {
            return Ok(Admission::New);
        };
        if head.epoch > known.epoch {
            let begins = head.sequence == 0;
            return if begins {
                Ok(Admission::New)
            } else {
                Err(Code::OutOfOrderSequenceNumber)
            };
        }
        let again = known
            .batches
            .iter()
            .find(|batch| (batch.first, batch.last) == (head.sequence, head.last_sequence()));
        match again {
            Some(batch) => Ok(Admission::Duplicate(batch.base)),
            None if head.sequence == add_sequence(newest.last, 1) => Ok(Admission::New),
            None => Err(Code::OutOfOrderSequenceNumber),
        }
    }

    pub(crate) fn append(&mut self, head: &Head, now: i64) {
        let producer = self.known.entry(head.producer).or_default();
        producer.seen = now;
        if head.epoch != producer.epoch {
            producer.epoch = head.epoch;
            producer.batches.clear();
        }
        if head.is_control() {
            return;
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Batch {
            first: head.sequence,
            last: head.last_sequence(),
            base: head.base,
        });
    }

    /// Forgets who has not written since `before` and has no transaction open.
    pub(crate) fn expire(&mut self, before: i64, is_open: impl Fn(i64) -> bool) {
        self.known
            .retain(|id, producer| producer.seen >= before || is_open(*id));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::log::testing::{batch, log};

    fn ask(
        log: &super::super::testing::TestLog,
        epoch: i16,
        sequence: i32,
    ) -> Result<Admission, Code> {
        let sent = batch()
            .producer(5, epoch, sequence)
            .row("k", Some("v"))
            .build();
        log.log.admit(&Head::parse(&sent).unwrap())
    }

    #[test]
    fn a_batch_sent_again_has_its_first_offset_and_a_gap_is_refused() {
        let mut log = log();
        for sequence in 0..7 {
            log.add(batch().producer(5, 0, sequence).row("k", Some("v")));
        }
        assert_eq!(ask(&log, 0, 6), Ok(Admission::Duplicate(6)));
        assert_eq!(ask(&log, 0, 2), Ok(Admission::Duplicate(2)));
        assert_eq!(
            ask(&log, 0, 1),
            Err(Code::OutOfOrderSequenceNumber),
            "five are remembered"
        );
        assert_eq!(ask(&log, 0, 8), Err(Code::OutOfOrderSequenceNumber));
        assert_eq!(ask(&log, 0, 7), Ok(Admission::New));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_shuts_the_old_one_out() {
        let mut log = log();
        log.add(batch().producer(5, 0, 0).row("k", Some("v")));
        assert_eq!(ask(&log, 1, 1), Err(Code::OutOfOrderSequenceNumber));
        assert_eq!(ask(&log, 1, 0), Ok(Admission::New));
        log.add(batch().producer(5, 1, 0).row("k", Some("v")));
        assert_eq!(ask(&log, 0, 1), Err(Code::InvalidProducerEpoch));
    }
}
