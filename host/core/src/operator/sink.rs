//! Sinks: rows leave for a topic, a user's or an internal one.

use crate::record::Batch;
use crate::task::dropped::Reason;
use crate::task::flow::Places;
use crate::task::outbox::refusal;
use crate::task::pass::Pass;
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
    let mut kept = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        match refused_by(pass, topic, &rows, row) {
            Some(reason) => pass.fail(node, places.row(row), &reason, ""),
            None => kept.push(number(row)),
        }
    }
    take(pass, topic, rows, places, &kept);
    Emitted::none()
}

/// Rows for a repartition topic. Those without a key have no place there, unless an outer join
/// below wants them.
pub(super) fn repartition(
    pass: &mut Pass<'_>,
    node: NodeId,
    (topic, keep_null_keys): (&str, bool),
    rows: Batch,
    places: &Places,
) -> Emitted {
    let mut kept = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if rows.keys.is_null(row) && !keep_null_keys {
            pass.drop_row(node, Reason::NullKey);
        } else {
            kept.push(number(row));
        }
    }
    take(pass, topic, rows, places, &kept);
    Emitted::none()
}

/// Why the topic would not take a row, if it would not.
pub(crate) fn refused_by(pass: &Pass<'_>, topic: &str, rows: &Batch, row: usize) -> Option<String> {
    refusal(topic, pass.plan.facts.get(topic)?, rows, row, pass.now)
}

fn take(pass: &mut Pass<'_>, topic: &str, rows: Batch, places: &Places, kept: &[u32]) {
    if kept.len() == rows.len() {
        pass.outbox.take(topic, rows, places.clone());
    } else {
        pass.outbox
            .take(topic, rows.select(kept), places.select(kept));
    }
}
