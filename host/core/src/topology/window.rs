//! Windows: how an aggregate cuts time, how long it keeps what it cut, and when a result is final.

use super::StoreKind;
use crate::codec::{split_session_key, split_windowed_key};
use crate::store::window::Retention;

/// The windows of an aggregate. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names say it; milliseconds, as the enum does"
)]
pub enum Window {
    /// `[start, start + size)`; tumbling where `advance == size`.
    Hopping { size: i64, advance: i64, grace: i64 },
    /// `[start, start + size]`: one that ends at each row and one that begins just after it.
    Sliding { size: i64, grace: i64 },
    /// From a session's first row to its last.
    Session { gap: i64, grace: i64 },
}

/// When an aggregate sends its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// Each update, at once.
    #[default]
    OnUpdate,
    /// Each window once, when it closes.
    OnWindowClose,
}

impl Window {
    /// How long rows are taken after their time.
    pub fn grace(self) -> i64 {
        match self {
            Window::Hopping { grace, .. }
            | Window::Sliding { grace, .. }
            | Window::Session { grace, .. } => grace,
        }
    }

    /// How its results are kept: so long before the highest start (session: end) ever written.
    pub(super) fn kept(self, emit: Emit) -> StoreKind {
        let (own, session) = match self {
            Window::Hopping { size, .. } => (size, false),
            Window::Sliding { size, .. } => (size.saturating_mul(2), false),
            Window::Session { gap, .. } => (gap, true),
        };
        let ms = own.saturating_add(self.grace());
        if session {
            return StoreKind::Session { retention_ms: ms };
        }
        let inclusive = emit == Emit::OnWindowClose;
        StoreKind::Window(Retention { ms, inclusive })
    }

    /// The stream time at which a suppress sends the window of a result's key; `None`: the key is
    /// not of such a window. Sliding windows and sessions take rows up to that very time.
    pub fn closes_at(self, key: &[u8]) -> Option<i64> {
        let end = match self {
            Window::Hopping { size, .. } | Window::Sliding { size, .. } => {
                split_windowed_key(key)?.1.saturating_add(size)
            }
            Window::Session { gap, .. } => split_session_key(key)?.2.saturating_add(gap),
        };
        Some(end.saturating_add(self.grace()))
    }
}

/// Until when a suppress holds an update back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Its window closes.
    WindowCloses(Window),
    /// Stream time has gone on for this long, in milliseconds; or more keys are held back than
    /// `max_rows`, which then sends the first.
    #[expect(missing_docs, reason = "the variant says it")]
    TimeLimit { limit: i64, max_rows: Option<u64> },
}
