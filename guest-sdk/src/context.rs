//! Contexts: what a processor may do besides computing.

use std::marker::PhantomData;

use crate::format::{self, Data};
use crate::function::{Outputs, Reject};
use crate::serdes::Topics;
use crate::state::{Declared, Store, after, key_bytes};

/// Forwards the rows of a processor.
pub struct Forward<'a, K, V> {
    outputs: &'a mut Outputs,
    timestamp: i64,
    failed: Option<Reject>,
    kinds: PhantomData<fn(K, V)>,
}

impl<'a, K: Data, V: Data> Forward<'a, K, V> {
    pub(crate) fn new(outputs: &'a mut Outputs, timestamp: i64) -> Forward<'a, K, V> {
        Forward {
            outputs,
            timestamp,
            failed: None,
            kinds: PhantomData,
        }
    }

    /// Sends a row on, with the time of the row at hand.
    pub fn forward(&mut self, key: &K, value: &V) {
        self.forward_at(key, value, self.timestamp);
    }

    /// Sends a row on with a time of its own, milliseconds since the epoch.
    pub fn forward_at(&mut self, key: &K, value: &V, timestamp: i64) {
        let pushed = self.outputs.push(
            |keys| Ok(keys.push_with(|out| format::encode_key(key, out))?),
            |values| Ok(values.push_with(|out| format::encode_value(value, out))?),
            timestamp,
        );
        if let Err(reject) = pushed {
            self.failed.get_or_insert(reject);
        }
    }

    pub(crate) fn finish(&mut self, verdict: Result<(), String>) -> Result<(), Reject> {
        verdict.map_err(Reject)?;
        self.failed.take().map_or(Ok(()), Err)
    }
}

/// What a processor has at hand: its stores, the time, and the rows that it forwards.
///
/// A stored entry that cannot be read as the type of its store traps: the row goes the way of the
/// service's failure policy.
pub struct Context<'a, K, V> {
    pub(crate) stores: Declared<'a>,
    pub(crate) stream_time: i64,
    pub(crate) out: Forward<'a, K, V>,
}

impl<K: Data, V: Data> Context<'_, K, V> {
    /// Sends a row on, with the time of the row at hand (of the punctuation).
    pub fn forward(&mut self, key: &K, value: &V) {
        self.out.forward(key, value);
    }

    /// Sends a row on with a time of its own, milliseconds since the epoch.
    pub fn forward_at(&mut self, key: &K, value: &V, timestamp: i64) {
        self.out.forward_at(key, value, timestamp);
    }

    /// The highest time that the task has seen, this row's included; in a punctuation, the time
    /// that it was called with.
    pub fn stream_time(&self) -> i64 {
        self.stream_time
    }
}

/// Reading stores, for every context that may.
macro_rules! reads {
    () => {
        /// The value of a key.
        pub fn get<SK: Data, SV: Data>(&mut self, store: Store<SK, SV>, key: &SK) -> Option<SV> {
            self.stores.get(store, key)
        }

        /// The values of many keys, in their order. One call of the host: cheaper than many
        /// [`Self::get`]s.
        pub fn get_many<SK: Data, SV: Data>(
            &mut self,
            store: Store<SK, SV>,
            keys: &[SK],
        ) -> Vec<Option<SV>> {
            self.stores.get_many(store, keys)
        }

        /// At most `limit` entries with `from` <= key < `to` (`None`: no bound), in the order of
        /// their bytes.
        pub fn range<SK: Data, SV: Data>(
            &mut self,
            store: Store<SK, SV>,
            from: Option<&SK>,
            to: Option<&SK>,
            limit: u32,
        ) -> Vec<(SK, SV)> {
            let (from, to) = (from.map(key_bytes), to.map(key_bytes));
            self.stores.range(store, from, to, limit)
        }

        /// At most `limit` entries whose key, a tuple, begins with `first`.
        pub fn prefix<SK1: Data, SK2: Data, SV: Data>(
            &mut self,
            store: Store<(SK1, SK2), SV>,
            first: &SK1,
            limit: u32,
        ) -> Vec<((SK1, SK2), SV)> {
            let from = format::encode_prefix(first);
            let to = after(from.clone());
            self.stores.range(store, Some(from), to, limit)
        }
    };
}

/// Writing stores, likewise.
macro_rules! writes {
    () => {
        /// Puts a value.
        pub fn put<SK: Data, SV: Data>(&mut self, store: Store<SK, SV>, key: &SK, value: &SV) {
            self.stores.put(store, key, Some(value));
        }

        /// Deletes a key.
        pub fn delete<SK: Data, SV: Data>(&mut self, store: Store<SK, SV>, key: &SK) {
            self.stores.put(store, key, None);
        }
    };
}

impl<K: Data, V: Data> Context<'_, K, V> {
    reads!();
    writes!();
}

/// What a command has at hand: the stores of its route, and the rows that it appends.
pub struct Command<'a> {
    pub(crate) stores: Declared<'a>,
    pub(crate) rows: Vec<crate::bindings::weir::service::http::Appended>,
    pub(crate) topics: &'a Appends,
}

/// The topics that a command appends to, and how.
pub(crate) struct Appends {
    /// Handles and names, in the order of the route.
    pub(crate) topics: Vec<(u32, String)>,
    pub(crate) serdes: Topics,
}

impl Command<'_> {
    reads!();
    writes!();

    /// Appends a row to a topic that the route has declared. It is in the same transaction as what
    /// is put; the response leaves when that has committed.
    pub fn append<K: Data, V: Data>(&mut self, topic: crate::Topic<K, V>, key: &K, value: &V) {
        let Appends { topics, serdes } = self.topics;
        let found = topics.iter().position(|(id, _)| *id == topic.id);
        let found = found.expect("a topic that a command appends to is declared; name it in `to`");
        let codecs = serdes.seen_as(&topics[found].1);
        let codecs = codecs.unwrap_or_else(|mistake| panic!("a row to append: {mistake}"));
        let [key, value] = codecs
            .write(key, value)
            .unwrap_or_else(|error| panic!("a row to append: {error}"));
        self.rows
            .push(crate::bindings::weir::service::http::Appended {
                topic: u8::try_from(found).expect("few topics are declared"),
                key,
                value,
            });
    }
}

/// What a query has at hand: the stores of its route, committed.
pub struct Query<'a> {
    pub(crate) stores: Declared<'a>,
}

impl Query<'_> {
    reads!();
}
