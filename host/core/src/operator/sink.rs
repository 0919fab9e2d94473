//! Sinks: rows leave for a topic, a user's or an internal one.

use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::flow::{Flow, Places};
use crate::pass::outbox::refusal;
use crate::record::Batch;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::number;

/// Rows for a user's topic. What the broker would refuse fails.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    topic: &str,
    rows: Batch,
    places: &Places,
) -> Emitted {
    let facts = pass.plan.facts.get(topic);
    let mut kept = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let refused = facts.and_then(|facts| refusal(topic, facts, &rows, row, pass.now));
        match refused {
            Some(reason) => pass.fail(node, places.row(row), &reason, ""),
            None => kept.push(number(row)),
        }
    }
    take(pass, topic, false, rows, places, &kept);
    Emitted::none()
}

/// A repartition topic.
pub(super) struct Internal<'t> {
    pub(super) topic: &'t str,
    pub(super) keep_null_keys: bool,
    /// Whether rows say to which partition they go.
    pub(super) answers: bool,
}

/// Rows for a repartition topic. Those without a key have no place there, unless an outer join
/// below wants them.
pub(super) fn repartition(
    pass: &mut Pass<'_>,
    node: NodeId,
    internal: Internal<'_>,
    rows: Batch,
    places: &Places,
) -> Emitted {
    let mut kept = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if rows.keys.is_null(row) && !internal.keep_null_keys {
            pass.drop_row(node, Reason::NullKey);
        } else {
            kept.push(number(row));
        }
    }
    take(pass, internal.topic, internal.answers, rows, places, &kept);
    Emitted::none()
}

fn take(
    pass: &mut Pass<'_>,
    topic: &str,
    answers: bool,
    rows: Batch,
    places: &Places,
    kept: &[u32],
) {
    let flow = if kept.len() == rows.len() {
        Flow::of(rows, places.clone())
    } else {
        Flow::of(rows.select(kept), places.select(kept))
    };
    pass.outbox.take(topic, answers, flow);
}
