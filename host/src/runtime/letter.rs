//! What reaches a worker from outside, and what it answers.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use tokio::sync::oneshot;
use weir_core::functions::{Request, Response};
use weir_core::task::TaskId;

use super::blueprint::Blueprint;

/// What reaches a worker from outside, taken between two batches.
pub(super) enum Letter {
    /// A request that changes something.
    Command(Asked),
    /// Another version, of the same shape. Answered when it has taken over.
    Swap(Arc<Blueprint>, Sender<()>),
}

/// A command, and whoever waits for it.
pub(super) struct Asked {
    pub(super) route: usize,
    pub(super) task: TaskId,
    pub(super) request: Request,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Reply {
    /// It was decided, and what it wrote is committed.
    Response(Response),
    /// The task is not here any more.
    Moved,
    /// It was decided, but whether that was committed is unknown.
    Unknown(String),
}
