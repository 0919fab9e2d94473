//! Where rows came from: what was read, and a way back to it for dead letters.

use crate::record::Batch;

use super::effect::DeadLetter;

/// The rows of one input in a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Position among the task's inputs.
    pub input: usize,
    /// As they were read.
    pub rows: Batch,
    /// The offset of each.
    pub offsets: Vec<i64>,
    /// The place of each in the run, ascending; 0 is the run's first row.
    pub sequences: Vec<u32>,
}

/// What the rows of a pass go back to.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// Rows that were read.
    Consumed {
        parts: &'a [Part],
        topics: &'a [String],
        partition: u32,
    },
    /// A punctuation, at this time.
    Schedule { at: i64 },
}

impl<'a> Origin<'a> {
    /// Where the row of this sequence was read.
    pub(super) fn row(parts: &'a [Part], sequence: u32) -> (&'a Part, usize) {
        let found = parts
            .iter()
            .find_map(|part| Some((part, part.sequences.binary_search(&sequence).ok()?)));
        found.expect("a place begins with the sequence of a row that was read")
    }

    /// The offset of the consumed row of this sequence; 0 where none was consumed.
    pub(crate) fn offset(self, sequence: usize) -> i64 {
        match self {
            Origin::Consumed { parts, .. } => {
                let sequence = u32::try_from(sequence).expect("a batch is numbered in u32");
                let (part, row) = Origin::row(parts, sequence);
                part.offsets[row]
            }
            Origin::Schedule { .. } => 0,
        }
    }
}

/// A row that failed.
pub(crate) struct Failed {
    pub(crate) place: Box<[u32]>,
    pub(crate) letter: DeadLetter,
}
