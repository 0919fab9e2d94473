//! Rows that operators pass over, by reason: for metrics, and for whoever wonders where a row went.

use std::collections::BTreeMap;
use std::fmt;

use crate::topology::NodeId;

/// Why a row was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The operator needs a key.
    NullKey,
    /// The operator needs a value.
    NullValue,
    /// All of its windows had closed.
    Late,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NullKey => "null-key",
            Reason::NullValue => "null-value",
            Reason::Late => "late",
        })
    }
}

/// How many rows each node has passed over since the task began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    counts: BTreeMap<(NodeId, Reason), u64>,
}

impl Dropped {
    /// Counts one row.
    pub(crate) fn add(&mut self, node: NodeId, reason: Reason) {
        *self.counts.entry((node, reason)).or_default() += 1;
    }

    /// Each node and reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Reason, u64)> {
        self.counts
            .iter()
            .map(|(&(node, reason), &count)| (node, reason, count))
    }

    /// How many rows were passed over for this reason, by all nodes.
    pub fn count(&self, reason: Reason) -> u64 {
        self.iter()
            .filter(|(_, why, _)| *why == reason)
            .map(|(_, _, count)| count)
            .sum()
    }
}
