//! Emission on close: each window is sent once, when no row can change it any more.
//!
//! The windows that have not been sent are an index of their store, so that a look costs nothing
//! while none has closed, and none is lost however far a row moves stream time.

use crate::codec::{session_key, windowed_key};
use crate::pass::Pass;
use crate::record::Batch;
use crate::store;
use crate::topology::NodeId;
use crate::topology::description::Window;

use super::Emitted;
use crate::pass::memory::Timed;

/// Sends the windows that have closed by `stream_time`, on behalf of a row and with its headers: in
/// the order of end, start, key bytes, each with its aggregate's timestamp (a session's end).
pub(super) fn send_closed(
    pass: &mut Pass<'_>,
    (node, window): (NodeId, Window),
    (rows, row, place): (&Batch, usize, &[u32]),
    stream_time: i64,
    emitted: &mut Emitted,
) -> Result<(), store::Error> {
    let close = stream_time.saturating_sub(window.grace());
    // Windows that start before this have closed; sessions, those that end before it.
    let before = match window {
        Window::Hopping { size, .. } => close.saturating_sub(size).saturating_add(1),
        Window::Sliding { size, .. } => close.saturating_sub(size),
        Window::Session { gap, .. } => close.saturating_sub(gap),
    };
    match &mut pass.states[node.0 as usize].timed {
        Timed::Windows(windows) => {
            for window in windows.take_closed(pass.overlay, place, before)? {
                let key = windowed_key(&window.key, window.start);
                emitted.push(rows, row, Some(&key), Some(&window.value), window.timestamp);
            }
        }
        Timed::Sessions(sessions) => {
            for session in sessions.take_closed(pass.overlay, place, before)? {
                let key = session_key(&session.key, session.start, session.end);
                emitted.push(rows, row, Some(&key), Some(&session.value), session.end);
            }
        }
        Timed::None | Timed::Buffer(_) | Timed::Join { .. } => {}
    }
    Ok(())
}
