//! Suppress: updates of a table are held back, and only the latest of each key goes on: when its
//! window closes, or after a time.
//!
//! What comes below is told as old value the one that was sent last: the one that the key had
//! before it was held back. Time is the stream time of the updates themselves. What leaves has its
//! own timestamp and headers. A tombstone is held like any update; of a window that closes it is
//! not sent.

use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::{Batch, Column};
use crate::store::buffer::Update;
use crate::topology::{NodeId, Until};

use super::Emitted;
use crate::pass::memory::Timed;

/// Holds the updates back, and sends what is due.
pub(super) fn run(
    pass: &mut Pass<'_>,
    (node, until): (NodeId, Until),
    (rows, olds): (&Batch, Option<&Column>),
    places: &Places,
) -> Result<Emitted, Error> {
    let mut emitted = Emitted::changes(pass.topology.node(node).tells_old);
    for row in 0..rows.len() {
        let Some(key) = rows.keys.get(row) else {
            continue;
        };
        let timestamp = rows.timestamps[row];
        let state = &mut pass.states[node.0 as usize];
        let stream_time = state.observe(0, timestamp);
        let (place, limit) = match until {
            Until::WindowCloses(window) => (window.closes_at(key), 0),
            Until::TimeLimit { limit, .. } => (Some(timestamp), limit),
        };
        let Some(place) = place else {
            pass.fail(node, places.row(row), "its key is not that of a window", "");
            continue;
        };
        let Timed::Buffer(buffer) = &mut state.timed else {
            unreachable!("a suppress has a buffer");
        };
        let update = Update {
            value: rows.values.get(row).map(<[u8]>::to_vec),
            old: olds.and_then(|olds| olds.get(row)).map(<[u8]>::to_vec),
            timestamp,
            headers: headers(rows, row),
        };
        let at = places.row(row);
        buffer.put(pass.overlay, at, (key, place), update)?;
        let mut due = buffer.take_due(pass.overlay, at, stream_time.saturating_sub(limit))?;
        if let Until::TimeLimit {
            max_rows: Some(most),
            ..
        } = until
        {
            due.extend(buffer.take_excess(pass.overlay, at, most)?);
        }
        let final_only = matches!(until, Until::WindowCloses(_));
        for (key, update) in due {
            if update.value.is_some() || !final_only {
                emitted.push_update(row, &key, &update);
            }
        }
    }
    Ok(emitted)
}

fn headers(rows: &Batch, row: usize) -> Vec<(String, Option<Vec<u8>>)> {
    let headers = rows.headers.iter().flat_map(|headers| headers.row(row));
    headers
        .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
        .collect()
}
