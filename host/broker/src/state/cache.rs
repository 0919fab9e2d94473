//! The newest batches of a broker with a folder, in memory: who reads at the end of a log finds
//! them without asking the storage.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bytes::Bytes;

/// Batches, oldest first, up to a number of bytes.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    batches: VecDeque<Arc<Bytes>>,
    bytes: usize,
    budget: usize,
}

impl Cache {
    pub(crate) fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// Takes a batch in; what it returns finds the batch as long as it is here.
    pub(crate) fn add(&mut self, batch: Bytes) -> Weak<Bytes> {
        self.bytes += batch.len();
        let batch = Arc::new(batch);
        let found = Arc::downgrade(&batch);
        self.batches.push_back(batch);
        while self.bytes > self.budget {
            let Some(oldest) = self.batches.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
        }
        found
    }
}
