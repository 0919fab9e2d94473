//! Values that functions make, one call for all that is asked, each on behalf of a row.
//!
//! What a function refuses or cannot survive fails its row, once; the answers for the others stand.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::trouble::malformed;
use crate::record::{Batch, Column};
use crate::topology::NodeId;

use super::emitted::{check, check_rejected, number, part};

/// An answer for each question, in order.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Keys of the rows made; empty where a joiner was asked.
    pub(super) keys: Column,
    /// Null, too, where no row was made.
    pub(super) values: Column,
    /// The questions whose rows failed, ascending; their answers are null.
    failed: Vec<u32>,
}

impl Values {
    /// Whether the row of a question has failed.
    pub(super) fn failed(&self, question: usize) -> bool {
        self.failed.binary_search(&number(question)).is_ok()
    }

    /// Fills up with failures, so that the next answer is that of `question`.
    fn fail_up_to(&mut self, question: usize, with_keys: bool) {
        while self.values.len() < question {
            self.failed.push(number(self.values.len()));
            self.answer(None, None, with_keys);
        }
    }

    fn answer(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, with_keys: bool) {
        if with_keys {
            self.keys.push(key);
        }
        self.values.push(value);
    }
}

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

/// The questions of changes: of each row its new value, then its old one, as far as they are there;
/// and the row that each is about.
pub(super) fn changed(rows: &Batch, olds: Option<&Column>) -> (Batch, Vec<u32>) {
    let (mut asked, mut parents) = (Batch::default(), Vec::new());
    for row in 0..rows.len() {
        for value in [rows.values.get(row), olds.and_then(|olds| olds.get(row))] {
            if value.is_some() {
                asked.push(rows.keys.get(row), value, rows.timestamps[row]);
                parents.push(number(row));
            }
        }
    }
    (asked, parents)
}

/// Asks a `transform` for one row, or none, of each row of `asked`; `parents[i]` is the row on
/// whose behalf question i is asked.
pub(super) fn transformed(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    asked: &Batch,
    parents: &[u32],
    places: &Places,
) -> Result<Values, Error> {
    let mut values = Values::default();
    let place_of = |question: usize| places.row(parents[question] as usize);
    pass.halving(node, 0..asked.len(), &place_of, &mut |pass, range| {
        let input = part(asked, &range);
        let called = pass.functions.transform(function, &input);
        let output = called.map_err(|failure| pass.trouble(node, failure))?;
        check(&output, range.len(), 1, pass.limits)?;
        if output.origins.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(malformed(
                "a table has one row a key, and here two were made of one",
            ));
        }
        pass.reject(node, &output.rejected, range.start, &place_of);
        values.fail_up_to(range.start, true);
        let mut made = 0;
        let mut rejected = output.rejected.iter().map(|r| r.row as usize).peekable();
        for offset in 0..range.len() {
            if rejected.next_if_eq(&offset).is_some() {
                values.fail_up_to(range.start + offset + 1, true);
            } else if output
                .origins
                .get(made)
                .is_some_and(|&o| o as usize == offset)
            {
                let (key, value) = (output.rows.keys.get(made), output.rows.values.get(made));
                values.answer(key, value, true);
                made += 1;
            } else {
                values.answer(None, None, true);
            }
        }
        Ok(())
    })?;
    values.fail_up_to(asked.len(), true);
    Ok(values)
}

/// Asks a joiner for the value of each pair.
pub(super) fn joined(
    pass: &mut Pass<'_>,
    node: NodeId,
    function: FunctionId,
    pairs: &Pairs,
    places: &Places,
) -> Result<Values, Error> {
    let mut values = Values::default();
    let count = pairs.parents.len();
    let place_of = |pair: usize| places.row(pairs.parents[pair] as usize);
    pass.halving(node, 0..count, &place_of, &mut |pass, range| {
        let called = if range.len() == count {
            pass.functions
                .combine(function, &pairs.keys, &pairs.left, &pairs.right)
        } else {
            let [keys, left, right] =
                [&pairs.keys, &pairs.left, &pairs.right].map(|column| column.slice(range.clone()));
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
        values.fail_up_to(range.start, false);
        if combined.rejected.is_empty() && range.len() == count {
            values.values = combined.values;
            return Ok(());
        }
        let mut rejected = combined.rejected.iter().map(|r| r.row as usize).peekable();
        for offset in 0..range.len() {
            if rejected.next_if_eq(&offset).is_some() {
                values.fail_up_to(range.start + offset + 1, false);
            } else {
                values.answer(None, combined.values.get(offset), false);
            }
        }
        Ok(())
    })?;
    values.fail_up_to(count, false);
    Ok(values)
}
