//! The edges of a service: rows of a topic with a serde are read when they come in, and written
//! when they leave. Both are steps like any other, fused with their neighbours.

use super::Stream;
use crate::bindings::weir::service::topology::Edge;
use crate::format::Data;
use crate::serdes::Codecs;

const READ: &str = "deserialize";
const WRITE: &str = "serialize";

impl<K: Data, V: Data> Stream<K, V> {
    /// The rows of a topic with these serdes. A key that is written anew says another partition.
    pub(crate) fn reading(self, codecs: Codecs<K, V>) -> Stream<K, V> {
        if codecs.are_plain() {
            return self;
        }
        self.then(READ, codecs.key.is_some(), move |item, next| {
            next(item.read_by(&codecs)?)
        })
    }

    /// The edge that carries these rows as a topic has them.
    pub(super) fn writing(&self, topic: &str) -> Edge {
        let Codecs { key, value } = self.graph.borrow_mut().codecs::<K, V>(topic);
        match (key, value) {
            (None, None) => self.edge(),
            (None, Some(value)) => self
                .then(WRITE, false, move |item, next| {
                    next(item.value_written_by(&value)?)
                })
                .edge(),
            (Some(key), None) => self
                .then(WRITE, true, move |item, next| {
                    next(item.key_written_by(&key)?)
                })
                .edge(),
            (Some(key), Some(value)) => self
                .then(WRITE, true, move |item, next| {
                    next(item.value_written_by(&value)?.key_written_by(&key)?)
                })
                .edge(),
        }
    }
}
