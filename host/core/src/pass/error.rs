//! Why a task could not go on, named for what its worker does next.

use crate::store;

/// A task that could not go on. Failing rows are no such thing: they are effects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Committed state cannot be read or written. The worker aborts, and restores the store if it
    /// fails again.
    #[error(transparent)]
    State(#[from] store::Error),
    /// The host could not run a function; no row is to blame. The worker aborts, and begins again
    /// with a fresh instance.
    #[error("node `{node}`: {reason}")]
    Host {
        /// The node whose function was called.
        node: String,
        /// What went wrong.
        reason: String,
    },
    /// The position's metadata is not what this task wrote. The worker says so, and does not start.
    #[error(
        "the position of topic `{topic}` has metadata that is not weir's: `{metadata}`; reset \
        the group's offsets, or use another group"
    )]
    Metadata {
        /// The topic.
        topic: String,
        /// What was found.
        metadata: String,
    },
}
