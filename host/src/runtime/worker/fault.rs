//! Faults: why a worker cannot just go on, named for what it does next.

use weir_core::store;
use weir_core::task;

use crate::kafka;

/// Something that stops a worker's loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The transaction cannot be committed. Next: abort, go back to what is committed, go on.
    Abort(String),
    /// Something is broken or away, and how the transaction ended is unknown. Next: drop all
    /// clients and tasks, and begin anew after a pause.
    Restart(String),
    /// Someone else has our name; or we were silent for so long that the brokers took us for dead.
    /// Next: begin anew, but not for ever.
    Fenced(String),
    /// It will not get better by itself. Next: stop the service, tell the operator.
    Fail(String),
}

impl From<kafka::Error> for Fault {
    fn from(error: kafka::Error) -> Fault {
        let reason = error.to_string();
        match error {
            kafka::Error::Abortable { .. } => Fault::Abort(reason),
            kafka::Error::Fenced { .. } => Fault::Fenced(reason),
            // A refusal may be due to a right or a topic that comes back; the status tells of it
            // meanwhile.
            kafka::Error::Unreachable { .. }
            | kafka::Error::Pending { .. }
            | kafka::Error::Broken { .. }
            | kafka::Error::Refused { .. } => Fault::Restart(reason),
            kafka::Error::OutOfRange { .. } => Fault::Fail(reason),
        }
    }
}

impl From<task::Error> for Fault {
    fn from(error: task::Error) -> Fault {
        let reason = error.to_string();
        match error {
            task::Error::Host { .. } => Fault::Abort(reason),
            task::Error::State(_) => Fault::Restart(reason),
            task::Error::Metadata { .. } => Fault::Fail(reason),
        }
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Fault {
        Fault::Restart(error.to_string())
    }
}
