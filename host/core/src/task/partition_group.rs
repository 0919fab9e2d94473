//! Partition groups: the order in which a task sees its input.
//!
//! One queue for each input partition; hands out runs of rows, always the row with the lowest
//! timestamp among the heads (of equal ones, that of the first input). Rows of one partition never
//! change their order. Stream time is the highest timestamp handed out so far and never goes back.
//! An empty queue is waited for, so that a join sees both sides in order: until the input is known
//! to have no more rows, and from then on up to `max_idle_ms`. A batch that is handed out whole is
//! moved, not copied.

use std::collections::VecDeque;

use crate::pass::origin::Part;
use crate::record::Batch;
use crate::time::Timestamp;

/// The queues of a task's input partitions.
#[derive(Debug)]
pub struct PartitionGroup {
    queues: Vec<Queue>,
    max_idle_ms: i64,
    stream_time: Timestamp,
}

/// What a run may not exceed.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Rows, at least 1.
    pub rows: usize,
    /// Bytes of keys and values; the first row is taken whatever its size.
    pub bytes: usize,
    /// The run ends with the first row that brings stream time to this or beyond.
    pub stream_time: Option<Timestamp>,
}

/// What the group has to offer.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Rows, at least one.
    Run(Run),
    /// Rows are there, but an empty input is waited for: until then, or until it has rows.
    Waiting {
        /// Wall clock; `None`: until the input has rows or its end is reached.
        until: Option<Timestamp>,
    },
    /// No row is there.
    Idle,
}

/// Rows to handle as if one by one, in the order of their sequences.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    /// The rows of each input that has some, by input.
    pub parts: Vec<Part>,
    /// Stream time at each row, by sequence.
    pub stream_times: Vec<i64>,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<(Batch, Vec<i64>)>,
    /// Rows of the first batch that were handed out.
    taken: usize,
    rows: usize,
    bytes: usize,
    next_offset: Option<i64>,
    /// All that the input has is here, as far as is known.
    at_end: bool,
    /// Since when it has been seen at its end and without rows.
    empty_since: Option<Timestamp>,
}

impl PartitionGroup {
    /// Queues for `inputs` partitions.
    pub fn new(inputs: usize, max_idle_ms: i64) -> PartitionGroup {
        let queues = (0..inputs).map(|_| Queue::default()).collect();
        PartitionGroup {
            queues,
            max_idle_ms,
            stream_time: Timestamp::NONE,
        }
    }

    /// Goes on after a commit: the next offset of an input.
    pub fn resume(&mut self, input: usize, next_offset: i64) {
        self.queues[input].next_offset = Some(next_offset);
    }

    /// Goes on after a commit: stream time was at least this.
    pub fn resume_stream_time(&mut self, stream_time: Timestamp) {
        self.stream_time = self.stream_time.max(stream_time);
    }

    /// Takes a batch over. Offsets, one a row, go up; rows before the input's next offset are a
    /// mistake of the caller.
    pub fn enqueue(&mut self, input: usize, rows: Batch, offsets: Vec<i64>) {
        assert_eq!(rows.len(), offsets.len(), "one offset a row");
        let Some(&first) = offsets.first() else {
            return;
        };
        let queue = &mut self.queues[input];
        let before = queue
            .batches
            .back()
            .and_then(|(_, offsets)| Some(offsets.last()? + 1));
        let expected = before.or(queue.next_offset).unwrap_or(first);
        assert!(
            first >= expected,
            "offset {first} of input {input} comes after {expected}"
        );
        queue.rows += rows.len();
        queue.bytes += rows.keys.bytes().len() + rows.values.bytes().len();
        queue.at_end = false;
        queue.empty_since = None;
        queue.batches.push_back((rows, offsets));
    }

    /// All rows that the input has were taken over, as far as is known: holds until more come.
    pub fn reach_end(&mut self, input: usize) {
        self.queues[input].at_end = true;
    }

    /// Rows that wait in an input.
    pub fn buffered(&self, input: usize) -> usize {
        self.queues[input].rows
    }

    /// Bytes of keys and values that wait in an input.
    pub fn buffered_bytes(&self, input: usize) -> usize {
        self.queues[input].bytes
    }

    /// The next offset of an input: after the last row handed out; `None`: neither resumed nor
    /// read.
    pub fn position(&self, input: usize) -> Option<i64> {
        self.queues[input].next_offset
    }

    /// The highest timestamp handed out so far.
    pub fn stream_time(&self) -> Timestamp {
        self.stream_time
    }

    /// The next run.
    pub fn next(&mut self, now: Timestamp, cut: Cut) -> Next {
        if self.queues.iter().all(|queue| queue.rows == 0) {
            return Next::Idle;
        }
        if let Some(until) = self.wait(now) {
            return Next::Waiting { until };
        }
        let (counts, sequences, stream_times) = self.choose(cut);
        let chosen = sequences
            .into_iter()
            .enumerate()
            .filter(|(_, s)| !s.is_empty());
        let parts = chosen.map(|(input, sequences)| {
            let (rows, offsets) = self.queues[input].take(counts[input]);
            Part {
                input,
                rows,
                offsets,
                sequences,
            }
        });
        Next::Run(Run {
            parts: parts.collect(),
            stream_times,
        })
    }

    /// Whether an empty input holds the others back, and until when. At its end its time runs from
    /// when it was first seen empty until it has rows, as in Kafka Streams, so that an input
    /// without traffic is waited for once and not again for each batch.
    fn wait(&mut self, now: Timestamp) -> Option<Option<Timestamp>> {
        let mut until = None;
        for queue in self.queues.iter_mut().filter(|queue| queue.rows == 0) {
            if !queue.at_end {
                return Some(None);
            }
            let since = queue.empty_since.get_or_insert(now);
            until = until.max(Some(Timestamp(since.0 + self.max_idle_ms)));
        }
        until.filter(|&until| now < until).map(Some)
    }

    /// Picks rows head by head: how many of each input, their sequences, and stream time at each.
    fn choose(&mut self, cut: Cut) -> (Vec<usize>, Vec<Vec<u32>>, Vec<i64>) {
        let mut cursors: Vec<Cursor<'_>> = self.queues.iter().map(Queue::cursor).collect();
        let mut sequences = vec![Vec::new(); cursors.len()];
        let mut stream_times = Vec::new();
        let mut bytes = 0;
        'run: loop {
            let heads = cursors
                .iter()
                .enumerate()
                .filter_map(|(i, c)| Some((c.timestamp()?, i)));
            let Some((_, input)) = heads.clone().min() else {
                break;
            };
            let rival = heads.filter(|&(_, other)| other != input).min();
            let cursor = &mut cursors[input];
            while let Some(timestamp) = cursor.timestamp()
                && rival.is_none_or(|rival| (timestamp, input) < rival)
            {
                bytes += cursor.bytes();
                let taken = stream_times.len();
                if taken == cut.rows.max(1) || (taken > 0 && bytes > cut.bytes) {
                    break 'run;
                }
                sequences[input].push(u32::try_from(taken).expect("a run stays below 4 G rows"));
                self.stream_time = self.stream_time.max(Timestamp(timestamp));
                stream_times.push(self.stream_time.0);
                cursor.advance();
                if cut.stream_time.is_some_and(|due| self.stream_time >= due) {
                    break 'run;
                }
            }
            let cursor = &cursors[input];
            let waits = self.max_idle_ms > 0 || !cursor.queue.at_end;
            if waits && cursors.len() > 1 && cursor.timestamp().is_none() {
                // The next look decides whether this input is waited for.
                break;
            }
        }
        (
            sequences.iter().map(Vec::len).collect(),
            sequences,
            stream_times,
        )
    }
}

/// A look ahead into a queue.
struct Cursor<'a> {
    queue: &'a Queue,
    batch: usize,
    row: usize,
}

impl Cursor<'_> {
    fn timestamp(&self) -> Option<i64> {
        let (rows, _) = self.queue.batches.get(self.batch)?;
        Some(rows.timestamps[self.row])
    }

    fn bytes(&self) -> usize {
        let (rows, _) = &self.queue.batches[self.batch];
        let length = |length: i32| usize::try_from(length).unwrap_or(0);
        length(rows.keys.lengths()[self.row]) + length(rows.values.lengths()[self.row])
    }

    fn advance(&mut self) {
        self.row += 1;
        if self.row == self.queue.batches[self.batch].0.len() {
            (self.batch, self.row) = (self.batch + 1, 0);
        }
    }
}

impl Queue {
    fn cursor(&self) -> Cursor<'_> {
        Cursor {
            queue: self,
            batch: 0,
            row: self.taken,
        }
    }

    /// The first `count` rows, of which there must be as many.
    fn take(&mut self, count: usize) -> (Batch, Vec<i64>) {
        let mut taken = None::<(Batch, Vec<i64>)>;
        let mut missing = count;
        while missing > 0 {
            let (front, offsets) = self.batches.front().expect("as many rows are queued");
            let end = front.len().min(self.taken + missing);
            missing -= end - self.taken;
            let (whole, begins) = (end == front.len(), self.taken == 0);
            let part = if whole && begins {
                self.batches.pop_front().expect("there is a front")
            } else {
                let part = (
                    front.slice(self.taken..end),
                    offsets[self.taken..end].to_vec(),
                );
                self.taken = end;
                if whole {
                    self.batches.pop_front();
                }
                part
            };
            if whole {
                self.taken = 0;
            }
            match &mut taken {
                None => taken = Some(part),
                Some((rows, offsets)) => {
                    rows.append(&part.0);
                    offsets.extend(part.1);
                }
            }
        }
        let (rows, offsets) = taken.unwrap_or_default();
        self.rows -= rows.len();
        self.bytes -= rows.keys.bytes().len() + rows.values.bytes().len();
        self.next_offset = offsets.last().map(|last| last + 1).or(self.next_offset);
        (rows, offsets)
    }
}

#[cfg(test)]
mod tests;
