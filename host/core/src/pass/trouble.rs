//! Why a call came to nothing, and whose fault it was.

use crate::store;

use super::error::Error;

/// Why an attempt came to nothing.
pub(crate) enum Trouble {
    /// One of its rows is to blame, or all of them together.
    Rows { reason: String, backtrace: String },
    /// No row is to blame.
    Stop(Error),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Trouble {
        Trouble::Stop(Error::State(error))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Stop(error)
    }
}

/// An answer that contradicts the contract is a trap of its function.
pub(crate) fn malformed(reason: impl Into<String>) -> Trouble {
    Trouble::Rows {
        reason: format!("malformed answer: {}", reason.into()),
        backtrace: String::new(),
    }
}
