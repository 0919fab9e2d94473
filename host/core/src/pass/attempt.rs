//! Failing rows: whatever goes wrong with one row becomes a dead letter, and the rows beside it go
//! on.
//!
//! A trap names no row, so the rows of the call are halved until it is found. What stops the task
//! is an [`Error`]; all else is data.

use std::ops::Range;

use crate::functions::{Failure, Rejection};
use crate::topology::NodeId;

use super::Pass;
use super::effect::{DeadLetter, Position};
use super::error::Error;
use super::origin::{Failed, Origin};
use super::trouble::Trouble;

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
