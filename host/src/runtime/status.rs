//! What a service, and the host, are doing, in a word that an operator reads.

use std::fmt;

/// What a service is doing on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// On its way up; what it waits for, if it is something that an operator can mend.
    Starting(Option<String>),
    /// All workers are at work.
    Running,
    /// Some worker cannot go on for now, and keeps trying: brokers are away, or a client had to be
    /// made anew.
    Interrupted(String),
    /// It has stopped, and stays so until it is deployed anew.
    Failed(String),
    /// It was told to stop.
    Stopped,
}

impl Status {
    /// Whether it does its work.
    pub fn is_running(&self) -> bool {
        matches!(self, Status::Running)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Starting(None) => f.write_str("starting"),
            Status::Starting(Some(what)) => write!(f, "starting: {what}"),
            Status::Running => f.write_str("running"),
            Status::Interrupted(why) => write!(f, "interrupted: {why}"),
            Status::Failed(why) => write!(f, "failed: {why}"),
            Status::Stopped => f.write_str("stopped"),
        }
    }
}
