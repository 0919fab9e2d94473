//! Joiners: the values of joined pairs, one call for a batch.

use crate::functions::FunctionId;
use crate::record::{Batch, Column};
use crate::task::error::Error;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::number;
use super::values::joined;

/// Pairs to be joined, each on behalf of a row.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// The row at hand, ascending.
    pub(super) parents: Vec<u32>,
    pub(super) keys: Column,
    /// Null: the side is missing.
    pub(super) left: Column,
    /// Null: the side is missing.
    pub(super) right: Column,
    /// Of the result.
    pub(super) timestamps: Vec<i64>,
}

impl Pairs {
    /// Adds a pair.
    pub(super) fn push(
        &mut self,
        parent: usize,
        key: Option<&[u8]>,
        left: Option<&[u8]>,
        right: Option<&[u8]>,
        timestamp: i64,
    ) {
        self.parents.push(number(parent));
        self.keys.push(key);
        self.left.push(left);
        self.right.push(right);
        self.timestamps.push(timestamp);
    }
}

/// Asks for the values; a pair that the joiner refuses or cannot survive is a failure of its row.
pub(super) fn combine(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    pairs: &Pairs,
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let combined = joined(pass, node, function, pairs, places)?;
    let mut emitted = Emitted::none();
    for (pair, &parent) in pairs.parents.iter().enumerate() {
        if !combined.failed(pair) {
            let (key, value) = (pairs.keys.get(pair), combined.values.get(pair));
            let timestamp = pairs.timestamps[pair];
            emitted.push(rows, parent as usize, key, value, timestamp);
        }
    }
    Ok(emitted)
}
