//! What an operator remembers between batches beside its stores: its stream time, and the way to
//! its windows.

use crate::store::window::Retention;
use crate::store::{self, JoinWindow, Overlay, SessionStore, StoreId, WindowStore};
use crate::topology::description::Window;
use crate::topology::{Node, Operation};

/// One operator's memory.
#[derive(Debug)]
pub(crate) struct OperatorState {
    /// The highest timestamp of the rows that it took; `i64::MIN` before the first.
    pub(crate) stream_time: i64,
    pub(crate) timed: Timed,
}

/// The way to an operator's windows.
#[derive(Debug)]
pub(crate) enum Timed {
    /// It has none.
    None,
    Windows(WindowStore),
    Sessions(SessionStore),
    Join {
        left: JoinWindow,
        right: JoinWindow,
    },
}

impl OperatorState {
    /// Before the first row.
    pub(crate) fn new(node: &Node) -> OperatorState {
        let timed = match &node.operation {
            Operation::Aggregate {
                window: Some(window),
                store,
                ..
            } => windows(*window, *store),
            Operation::StreamStreamJoin {
                before,
                after,
                grace,
                left,
                right,
                ..
            } => {
                let retention = before.saturating_add(*after).saturating_add(*grace);
                let [left, right] = [left, right].map(|store| JoinWindow::new(*store, retention));
                Timed::Join { left, right }
            }
            _ => Timed::None,
        };
        OperatorState {
            stream_time: i64::MIN,
            timed,
        }
    }

    /// Whether its stream time decides anything, and so must outlive the task.
    pub(crate) fn keeps_time(&self) -> bool {
        !matches!(self.timed, Timed::None)
    }

    /// Takes a row's timestamp; the stream time after it.
    pub(crate) fn observe(&mut self, timestamp: i64) -> i64 {
        self.stream_time = self.stream_time.max(timestamp);
        self.stream_time
    }

    /// Deletes what nobody sees any more.
    pub(crate) fn expire(&mut self, overlay: &mut Overlay) -> Result<(), store::Error> {
        match &mut self.timed {
            Timed::None => Ok(()),
            Timed::Windows(windows) => windows.expire(overlay),
            Timed::Sessions(sessions) => sessions.expire(overlay),
            Timed::Join { left, right } => {
                left.expire(overlay)?;
                right.expire(overlay)
            }
        }
    }
}

fn windows(window: Window, store: StoreId) -> Timed {
    match window {
        Window::Hopping { size, grace, .. } => {
            let retention = Retention {
                ms: size.saturating_add(grace),
                inclusive: false,
            };
            Timed::Windows(WindowStore::new(store, retention))
        }
        Window::Session { gap, grace } => {
            Timed::Sessions(SessionStore::new(store, gap.saturating_add(grace)))
        }
    }
}
