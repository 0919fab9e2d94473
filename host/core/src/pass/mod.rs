//! A pass: what the nodes of a sub-topology share while rows go through them.
//!
//! Operators read and write it; what they make of rows, and what went wrong, leaves as effects, in
//! the order of places.

pub(crate) mod attempt;
pub(crate) mod dropped;
pub(crate) mod effect;
pub(crate) mod error;
pub(crate) mod flow;
pub(crate) mod memory;
pub(crate) mod origin;
pub(crate) mod outbox;
pub(crate) mod trouble;

use crate::functions::Functions;
use crate::limits::Limits;
use crate::store::{Overlay, SessionStore, WindowStore};
use crate::time::Timestamp;
use crate::topology::{NodeId, Plan, Topology};

use dropped::{Dropped, Reason};
use effect::Effects;
use flow::compare;
use memory::{OperatorState, Timed};
use origin::{Failed, Origin};
use outbox::Outbox;

/// What the nodes share while rows go through them.
pub(crate) struct Pass<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) plan: &'a Plan,
    pub(crate) limits: &'a Limits,
    pub(crate) overlay: &'a mut Overlay,
    /// By [`NodeId`].
    pub(crate) states: &'a mut [OperatorState],
    pub(crate) dropped: &'a mut Dropped,
    pub(crate) functions: &'a mut dyn Functions,
    /// The task's stream time at each row of the batch, by sequence.
    pub(crate) stream_times: &'a [i64],
    /// The task's.
    pub(crate) partition: u32,
    /// The wall clock.
    pub(crate) now: Timestamp,
    /// What the rows go back to.
    pub(crate) origin: Origin<'a>,
    pub(crate) failed: Vec<Failed>,
    pub(crate) outbox: Outbox,
}

impl Pass<'_> {
    /// Counts a row that a node passes over.
    pub(crate) fn drop_row(&mut self, node: NodeId, reason: Reason) {
        self.dropped.add(node, reason);
    }

    /// Ends the pass: rows and failures become effects, in the order of places.
    pub(crate) fn finish(self, effects: &mut Effects) {
        let origin = self.origin;
        let spread = |sequence: usize| match origin {
            Origin::Consumed { .. } => origin.offset(sequence).unsigned_abs(),
            Origin::Schedule { at } => at.unsigned_abs(),
        };
        self.outbox.finish(self.plan, &spread, effects);
        let mut failed = self.failed;
        failed.sort_by(|one, other| compare(&one.place, &other.place));
        // A row that fails in several branches is one row.
        failed.dedup_by(|later, first| {
            first.letter.position.is_some() && first.letter.position == later.letter.position
        });
        effects
            .dead_letters
            .extend(failed.into_iter().map(|failed| failed.letter));
    }

    /// The windows of an aggregate, and what they are kept in. Panics where it has none.
    pub(crate) fn windows(&mut self, node: NodeId) -> (&mut WindowStore, &mut Overlay) {
        match &mut self.states[node.0 as usize].timed {
            Timed::Windows(windows) => (windows, self.overlay),
            other => unreachable!("an aggregate in windows has {other:?}"),
        }
    }

    /// The sessions of an aggregate, and what they are kept in. Panics where it has none.
    pub(crate) fn sessions(&mut self, node: NodeId) -> (&mut SessionStore, &mut Overlay) {
        match &mut self.states[node.0 as usize].timed {
            Timed::Sessions(sessions) => (sessions, self.overlay),
            other => unreachable!("an aggregate in sessions has {other:?}"),
        }
    }
}
