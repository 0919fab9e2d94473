//! What an operator remembers between batches beside its stores: its stream time, and the way to
//! its windows.

use crate::store::{self, Buffer, JoinWindow, Overlay, SessionStore, WindowStore};
use crate::topology::{Node, Operation, StoreKind, Topology};

/// One operator's memory.
#[derive(Debug)]
pub(crate) struct OperatorState {
    /// The highest timestamp of the rows that it took, `i64::MIN` before the first. A cogroup has
    /// one for each input, all others have one.
    pub(crate) stream_times: Vec<i64>,
    pub(crate) timed: Timed,
}

/// The way to an operator's windows.
#[derive(Debug)]
pub(crate) enum Timed {
    /// It has none.
    None,
    Windows(WindowStore),
    Sessions(SessionStore),
    Buffer(Buffer),
    Join {
        left: Box<JoinWindow>,
        right: Box<JoinWindow>,
    },
}

impl OperatorState {
    /// Before the first row.
    pub(crate) fn new(topology: &Topology, node: &Node) -> OperatorState {
        let timed = match &node.operation {
            Operation::Aggregate { store, .. } | Operation::Suppress { store, .. } => {
                match topology.store(*store).kind {
                    StoreKind::Window(kept) => Timed::Windows(WindowStore::new(*store, kept)),
                    StoreKind::Session { retention_ms } => {
                        Timed::Sessions(SessionStore::new(*store, retention_ms))
                    }
                    StoreKind::Buffer => Timed::Buffer(Buffer::new(*store)),
                    StoreKind::KeyValue | StoreKind::Versioned { .. } | StoreKind::Join { .. } => {
                        Timed::None
                    }
                }
            }
            Operation::StreamStreamJoin {
                before,
                after,
                grace,
                left,
                right,
                ..
            } => {
                let retention = before.saturating_add(*after).saturating_add(*grace);
                let window = |store| Box::new(JoinWindow::new(store, retention));
                let (left, right) = (window(*left), window(*right));
                Timed::Join { left, right }
            }
            _ => Timed::None,
        };
        let times = match node.operation {
            Operation::Aggregate { .. } => node.inputs.len().max(1),
            _ => 1,
        };
        OperatorState {
            stream_times: vec![i64::MIN; times],
            timed,
        }
    }

    /// Whether its stream time decides anything, and so must outlive the task.
    pub(crate) fn keeps_time(&self) -> bool {
        !matches!(self.timed, Timed::None)
    }

    /// Takes the timestamp of a row that came by `input`; the stream time after it.
    pub(crate) fn observe(&mut self, input: u8, timestamp: i64) -> i64 {
        let last = self.stream_times.len() - 1;
        let time = &mut self.stream_times[usize::from(input).min(last)];
        *time = timestamp.max(*time);
        *time
    }

    /// Deletes what nobody sees any more.
    pub(crate) fn expire(&mut self, overlay: &mut Overlay) -> Result<(), store::Error> {
        match &mut self.timed {
            // What is held back does not expire.
            Timed::None | Timed::Buffer(_) => Ok(()),
            Timed::Windows(windows) => windows.expire(overlay),
            Timed::Sessions(sessions) => sessions.expire(overlay),
            Timed::Join { left, right } => {
                left.expire(overlay)?;
                right.expire(overlay)
            }
        }
    }
}
