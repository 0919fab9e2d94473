//! Suppress: updates of a table, held back until they are final or old enough.

use std::time::Duration;

use crate::bindings::weir::service::topology::{Operator, Suppress, TimeLimit, Until};
use crate::duration::milliseconds;
use crate::format::Data;
use crate::table::Table;

/// Until when an update is held back.
#[derive(Clone, Copy, Debug)]
pub struct Suppressed(Until);

impl Suppressed {
    /// Until its window closes: end and grace (a session: end, gap and grace) are reached. Only for
    /// a table whose keys are windows or sessions. Tombstones are not sent.
    pub fn until_window_closes() -> Suppressed {
        Suppressed(Until::WindowCloses)
    }

    /// Until this long after the key's first update that is held back.
    pub fn until_time_limit(limit: Duration) -> Suppressed {
        let limit = milliseconds(limit);
        let max_rows = None;
        Suppressed(Until::TimeLimit(TimeLimit { limit, max_rows }))
    }

    /// With a time limit: when more keys than this are held back, the first leave early. Until
    /// windows close nothing may leave early, and this changes nothing.
    pub fn max_rows(self, most: u64) -> Suppressed {
        match self.0 {
            Until::WindowCloses => self,
            Until::TimeLimit(limit) => Suppressed(Until::TimeLimit(TimeLimit {
                max_rows: Some(most),
                ..limit
            })),
        }
    }
}

impl<K: Data, V: Data> Table<K, V> {
    /// The latest update of each key, held back in a store of this name; the others are never seen
    /// below.
    ///
    /// - **Order**: what leaves together is ordered by its time (the window's end, or the first
    ///   update held back), then by key bytes.
    /// - **Timestamps** and headers are the update's own. Time is the stream time of the updates,
    ///   so the last ones wait until later ones come.
    /// - **Nulls**: a tombstone is held back like any update; until a window closes it is not sent.
    /// - **State**: two entries for each key that is held back. **Cost**: two look-ups an update.
    ///
    /// Windows that send once, when they close, cost less:
    /// [`emit_on_window_close`](crate::WindowedGroup::emit_on_window_close).
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Suppressed, Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.table::<String, i64>("prices")
    ///         .suppress("calm", Suppressed::until_time_limit(Duration::from_secs(60)))
    ///         .to_stream()
    ///         .to("calm-prices");
    /// });
    /// for (second, price) in [(0, 7), (10, 8), (20, 9), (60, 10)] {
    ///     driver.topic("prices").at(second * 1000).send("tea".to_owned(), price as i64);
    /// }
    /// let calm = driver.topic::<String, i64>("calm-prices").read();
    /// assert_eq!(calm, [("tea".to_owned(), 10)]);
    /// ```
    pub fn suppress(&self, store: &str, until: Suppressed) -> Table<K, V> {
        let graph = self.graph();
        let suppress = Operator::Suppress(Suppress {
            store: store.to_owned(),
            until: until.0,
        });
        let edge = graph.borrow_mut().node(store, vec![self.edge()], suppress);
        Table::of(graph, edge, store)
    }
}
