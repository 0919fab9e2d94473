//! Failing rows: whatever goes wrong with one row becomes a dead letter, and the rows beside it go
//! on.
//!
//! A trap names no row, so the rows of the call are halved until it is found. What stops the task
//! is an [`Error`]; all else is data.

use std::ops::Range;

use crate::functions::{Failure, Rejection};
use crate::store;
use crate::topology::NodeId;

use super::effect::{DeadLetter, Position};
use super::error::Error;
use super::partition_group::Part;
use super::pass::Pass;

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
    fn row(parts: &'a [Part], sequence: u32) -> (&'a Part, usize) {
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

/// Why an attempt came to nothing.
pub(crate) enum Trouble {
    /// One of its rows is to blame, or all of them together.
    Rows { reason: String, backtrace: String },
    /// No row is to blame.
    Stop(Error),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Trouble {
        Trouble::Stop(Error::State(error))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Stop(error)
    }
}

/// An answer that contradicts the contract is a trap of its function.
pub(crate) fn malformed(reason: impl Into<String>) -> Trouble {
    Trouble::Rows {
        reason: format!("malformed answer: {}", reason.into()),
        backtrace: String::new(),
    }
}

/// The one who tries: either all of the rows are done, or nothing has changed.
pub(crate) type Attempt<'t> = dyn FnMut(&mut Pass<'_>, Range<usize>) -> Result<(), Trouble> + 't;

impl Pass<'_> {
    /// A failure of a function, as the trouble that it is.
    pub(crate) fn trouble(&self, node: NodeId, failure: Failure) -> Trouble {
        match failure {
            Failure::Trapped { reason, backtrace } => Trouble::Rows { reason, backtrace },
            Failure::Host(reason) => Trouble::Stop(Error::Host {
                node: self.topology.node(node).name.clone(),
                reason,
            }),
        }
    }

    /// Tries all rows at once; where that fails the halves, down to the row that fails alone.
    pub(crate) fn halving<'p>(
        &mut self,
        node: NodeId,
        rows: Range<usize>,
        place_of: &dyn Fn(usize) -> &'p [u32],
        attempt: &mut Attempt<'_>,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        match attempt(self, rows.clone()) {
            Ok(()) => Ok(()),
            Err(Trouble::Stop(error)) => Err(error),
            Err(Trouble::Rows { reason, backtrace }) if rows.len() == 1 => {
                self.fail(node, place_of(rows.start), &reason, &backtrace);
                Ok(())
            }
            Err(Trouble::Rows { .. }) => {
                let middle = rows.start + rows.len() / 2;
                self.halving(node, rows.start..middle, place_of, attempt)?;
                self.halving(node, middle..rows.end, place_of, attempt)
            }
        }
    }

    /// Rows that a function refused; their numbers count from `first`.
    pub(crate) fn reject<'p>(
        &mut self,
        node: NodeId,
        rejected: &[Rejection],
        first: usize,
        place_of: &dyn Fn(usize) -> &'p [u32],
    ) {
        for rejection in rejected {
            self.fail(
                node,
                place_of(first + rejection.row as usize),
                &rejection.reason,
                "",
            );
        }
    }

    /// Makes a dead letter of the row at `place`.
    pub(crate) fn fail(&mut self, node: NodeId, place: &[u32], reason: &str, backtrace: &str) {
        let cut = |text: &str| {
            text.chars()
                .take(self.limits.max_reason_chars)
                .collect::<String>()
        };
        let mut letter = DeadLetter {
            position: None,
            key: None,
            value: None,
            timestamp: self.now.0,
            node: self.topology.node(node).name.clone(),
            reason: cut(reason),
            backtrace: cut(backtrace),
        };
        match self.origin {
            Origin::Schedule { at } => letter.timestamp = at,
            Origin::Consumed {
                parts,
                topics,
                partition,
            } => {
                let (part, row) = Origin::row(parts, place[0]);
                let (topic, offset) = (topics[part.input].clone(), part.offsets[row]);
                letter.position = Some(Position {
                    topic,
                    partition,
                    offset,
                });
                letter.key = part.rows.keys.get(row).map(<[u8]>::to_vec);
                letter.value = part.rows.values.get(row).map(<[u8]>::to_vec);
                letter.timestamp = part.rows.timestamps[row];
            }
        }
        self.failed.push(Failed {
            place: place.into(),
            letter,
        });
    }
}
