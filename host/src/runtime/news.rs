//! News: a number that goes up whenever something that requests wait for has changed.
//!
//! Whoever waits takes the number first, looks, and then waits for another number, so that nothing
//! falls between.

use tokio::sync::watch;

/// A cell of news. Cheap to clone; clones are the same cell.
#[derive(Clone, Debug)]
pub(super) struct News(watch::Sender<u64>);

impl News {
    pub(super) fn new() -> News {
        News(watch::Sender::new(0))
    }

    /// Something has changed.
    pub(super) fn tell(&self) {
        self.0
            .send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Listens from now on.
    pub(super) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// One who waits for news.
pub(super) struct Listener(watch::Receiver<u64>);

impl Listener {
    /// Until something has changed since this was made or last waited for.
    pub(super) async fn heard(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
