//! Joiners: the values of joined pairs, one call for a batch.

use crate::functions::FunctionId;
use crate::record::{Batch, Column};
use crate::task::error::Error;
use crate::task::failing::malformed;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::{check_rejected, number};

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
    let mut emitted = Emitted::none();
    let count = pairs.parents.len();
    let place_of = |pair: usize| places.row(pairs.parents[pair] as usize);
    pass.halving(node, 0..count, &place_of, &mut |pass, range| {
        let called = if range.len() == count {
            pass.functions
                .combine(function, &pairs.keys, &pairs.left, &pairs.right)
        } else {
            let part: Vec<u32> = range.clone().map(number).collect();
            let [keys, left, right] =
                [&pairs.keys, &pairs.left, &pairs.right].map(|column| column.select(&part));
            pass.functions.combine(function, &keys, &left, &right)
        };
        let combined = called.map_err(|failure| pass.trouble(node, failure))?;
        if combined.values.len() != range.len() {
            return Err(malformed(format!(
                "{} values for {} pairs",
                combined.values.len(),
                range.len()
            )));
        }
        check_rejected(&combined.rejected, range.len())?;
        pass.reject(node, &combined.rejected, range.start, &place_of);
        let mut rejected = combined
            .rejected
            .iter()
            .map(|rejection| rejection.row as usize)
            .peekable();
        for (offset, pair) in range.enumerate() {
            if rejected.next_if_eq(&offset).is_none() {
                let (key, value) = (pairs.keys.get(pair), combined.values.get(offset));
                emitted.push(
                    rows,
                    pairs.parents[pair] as usize,
                    key,
                    value,
                    pairs.timestamps[pair],
                );
            }
        }
        Ok(())
    })?;
    Ok(emitted)
}
