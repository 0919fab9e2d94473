//! Stream-stream join: rows of two streams with one key whose times are near each other.
//!
//! Each row is stored on its side and looks for partners on the other. On a side that an outer join
//! keeps, a row without a partner waits until its window and the grace are over, and is then sent
//! alone. The sides share a stream time, which every row raises. Who pairs with whom depends on
//! keys and times alone, so all pairs of a batch are found first, and one call makes their values.

use std::ops::ControlFlow;

use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::{Inputs, Places};
use crate::record::Batch;
use crate::store::join_window::Waiting;
use crate::store::{self, JoinWindow, Overlay};
use crate::topology::description::JoinKind;
use crate::topology::{NodeId, Operation};

use super::Emitted;
use super::combine::combine;
use super::values::Pairs;
use crate::pass::memory::Timed;

/// Input 0.
const LEFT: u8 = 0;

/// The windows of a join.
#[derive(Clone, Copy)]
struct Spec {
    kind: JoinKind,
    before: i64,
    after: i64,
    grace: i64,
}

impl Spec {
    /// Whether rows of a side may stand alone.
    fn keeps(self, left: bool) -> bool {
        match self.kind {
            JoinKind::Inner => false,
            JoinKind::Left => left,
            JoinKind::Outer => true,
        }
    }

    /// How far a side looks back and ahead for partners.
    fn reach(self, left: bool) -> (i64, i64) {
        if left {
            (self.before, self.after)
        } else {
            (self.after, self.before)
        }
    }
}

/// Joins the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    rows: &Batch,
    inputs: &Inputs,
    places: &Places,
) -> Result<Emitted, Error> {
    let topology = pass.topology;
    let Operation::StreamStreamJoin {
        kind,
        function,
        before,
        after,
        grace,
        ..
    } = topology.node(node).operation
    else {
        unreachable!("only stream-stream joins come here");
    };
    let spec = Spec {
        kind,
        before,
        after,
        grace,
    };
    let mut pairs = Pairs::default();
    for row in 0..rows.len() {
        let left = inputs.of(row) == LEFT;
        let stream_time = pass.states[node.0 as usize].observe(0, rows.timestamps[row]);
        let Some(value) = rows.values.get(row) else {
            pass.drop_row(node, Reason::NullValue);
            continue;
        };
        let Some(key) = rows.keys.get(row) else {
            if spec.keeps(left) {
                push_alone(&mut pairs, row, (None, value, rows.timestamps[row]), left);
            } else {
                pass.drop_row(node, Reason::NullKey);
            }
            continue;
        };
        let Timed::Join {
            left: left_rows,
            right: right_rows,
        } = &mut pass.states[node.0 as usize].timed
        else {
            unreachable!("a join has its windows");
        };
        let mut sides = Sides {
            spec,
            left: left_rows,
            right: right_rows,
            overlay: &mut *pass.overlay,
        };
        let hand = Hand {
            row,
            left,
            key,
            value,
            timestamp: rows.timestamps[row],
        };
        sides.take(&hand, stream_time, &mut pairs)?;
    }
    combine(pass, node, function, &pairs, rows, places)
}

/// The row at hand.
struct Hand<'a> {
    row: usize,
    left: bool,
    key: &'a [u8],
    value: &'a [u8],
    timestamp: i64,
}

struct Sides<'a> {
    spec: Spec,
    left: &'a mut JoinWindow,
    right: &'a mut JoinWindow,
    overlay: &'a mut Overlay,
}

impl Sides<'_> {
    fn take(
        &mut self,
        hand: &Hand<'_>,
        stream_time: i64,
        pairs: &mut Pairs,
    ) -> Result<(), store::Error> {
        let own = if hand.left {
            &mut *self.left
        } else {
            &mut *self.right
        };
        let arrival = own.put(self.overlay, hand.key, hand.timestamp, hand.value)?;
        if hand.timestamp == stream_time {
            self.send_due(hand.row, stream_time, pairs)?;
        }
        if self.pair(hand, pairs)? || !self.spec.keeps(hand.left) {
            return Ok(());
        }
        let (_, ahead) = self.spec.reach(hand.left);
        if hand.timestamp.saturating_add(ahead) < stream_time {
            push_alone(
                pairs,
                hand.row,
                (Some(hand.key), hand.value, hand.timestamp),
                hand.left,
            );
            return Ok(());
        }
        let waiting = Waiting {
            timestamp: hand.timestamp,
            key: hand.key.to_vec(),
            arrival,
            value: hand.value.to_vec(),
        };
        let own = if hand.left {
            &mut *self.left
        } else {
            &mut *self.right
        };
        own.wait(self.overlay, &waiting);
        Ok(())
    }

    /// Pairs the row with its partners, which wait no longer; whether there was one.
    fn pair(&mut self, hand: &Hand<'_>, pairs: &mut Pairs) -> Result<bool, store::Error> {
        let (back, ahead) = self.spec.reach(hand.left);
        let range = (
            hand.timestamp.saturating_sub(back),
            hand.timestamp.saturating_add(ahead),
        );
        let other = if hand.left {
            &mut *self.right
        } else {
            &mut *self.left
        };
        let mut partners = Vec::new();
        other.fetch(
            self.overlay,
            hand.key,
            range,
            &mut |timestamp, arrival, value| {
                partners.push((timestamp, arrival));
                let (left, right) = if hand.left {
                    (hand.value, value)
                } else {
                    (value, hand.value)
                };
                let timestamp = timestamp.max(hand.timestamp);
                pairs.push(hand.row, Some(hand.key), Some(left), Some(right), timestamp);
                ControlFlow::Continue(())
            },
        )?;
        if self.spec.keeps(!hand.left) {
            for &(timestamp, arrival) in &partners {
                other.stop_waiting(self.overlay, hand.key, timestamp, arrival)?;
            }
        }
        Ok(!partners.is_empty())
    }

    /// Sends the rows that have waited in vain: by timestamp, right before left, key bytes,
    /// arrival.
    fn send_due(
        &mut self,
        row: usize,
        stream_time: i64,
        pairs: &mut Pairs,
    ) -> Result<(), store::Error> {
        let spec = self.spec;
        let mut due = Vec::new();
        for left in [false, true] {
            if spec.keeps(left) {
                let before = stream_time
                    .saturating_sub(spec.reach(left).1)
                    .saturating_sub(spec.grace);
                let side = if left {
                    &mut *self.left
                } else {
                    &mut *self.right
                };
                due.extend(
                    side.take_due(self.overlay, before)?
                        .into_iter()
                        .map(|waiting| (left, waiting)),
                );
            }
        }
        due.sort_by_key(|(left, waiting)| (waiting.timestamp, *left));
        for (left, waiting) in due {
            push_alone(
                pairs,
                row,
                (Some(&waiting.key), &waiting.value, waiting.timestamp),
                left,
            );
        }
        Ok(())
    }
}

/// A row joined with nothing.
fn push_alone(
    pairs: &mut Pairs,
    row: usize,
    (key, value, timestamp): (Option<&[u8]>, &[u8], i64),
    left: bool,
) {
    if left {
        pairs.push(row, key, Some(value), None, timestamp);
    } else {
        pairs.push(row, key, None, Some(value), timestamp);
    }
}
