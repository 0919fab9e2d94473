//! Windows: how an aggregate cuts time.

use std::time::Duration;

use crate::bindings::weir::service::topology::Window;
use crate::duration::milliseconds;

/// Tumbling or hopping windows: `[start, start + size)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size: Duration,
    advance: Duration,
    grace: Duration,
}

impl TimeWindows {
    /// Windows of this size, one after the other. No grace.
    pub fn tumbling(size: Duration) -> TimeWindows {
        TimeWindows::hopping(size, size)
    }

    /// Windows of this size, a new one each `advance`. No grace.
    pub fn hopping(size: Duration, advance: Duration) -> TimeWindows {
        TimeWindows {
            size,
            advance,
            grace: Duration::ZERO,
        }
    }

    /// How long after its end a window still takes late rows.
    pub fn grace(self, grace: Duration) -> TimeWindows {
        TimeWindows { grace, ..self }
    }
}

/// Sliding windows, `[start, start + size]`: one that ends at each row, and one that begins just
/// after it, as far as other rows of the key lie in them.
///
/// So there is one window for each set of rows that lie no further apart than `size`, and none is
/// empty. What hopping windows with an advance of 1 ms would do, at a cost that depends on rows and
/// not on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindows {
    size: Duration,
    grace: Duration,
}

impl SlidingWindows {
    /// Windows of rows that lie no further apart than `size`. No grace.
    pub fn of(size: Duration) -> SlidingWindows {
        let grace = Duration::ZERO;
        SlidingWindows { size, grace }
    }

    /// How long after its end a window still takes late rows.
    pub fn grace(self, grace: Duration) -> SlidingWindows {
        SlidingWindows { grace, ..self }
    }
}

/// Sessions: rows of a key with no longer gap between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    gap: Duration,
    grace: Duration,
}

impl SessionWindows {
    /// Sessions that end where no row comes for longer than `gap`. No grace.
    pub fn gap(gap: Duration) -> SessionWindows {
        let grace = Duration::ZERO;
        SessionWindows { gap, grace }
    }

    /// How long after its end, and the gap, a session still takes late rows.
    pub fn grace(self, grace: Duration) -> SessionWindows {
        SessionWindows { grace, ..self }
    }

    pub(super) fn window(self) -> Window {
        Window::Session((milliseconds(self.gap), milliseconds(self.grace)))
    }
}

/// [`TimeWindows`] or [`SlidingWindows`].
#[derive(Clone, Copy, Debug)]
pub struct Windows(pub(super) Window);

impl From<TimeWindows> for Windows {
    fn from(windows: TimeWindows) -> Windows {
        let TimeWindows {
            size,
            advance,
            grace,
        } = windows;
        Windows(Window::Hopping((
            milliseconds(size),
            milliseconds(advance),
            milliseconds(grace),
        )))
    }
}

impl From<SlidingWindows> for Windows {
    fn from(windows: SlidingWindows) -> Windows {
        let SlidingWindows { size, grace } = windows;
        Windows(Window::Sliding((milliseconds(size), milliseconds(grace))))
    }
}
