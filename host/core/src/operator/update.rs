//! Update: a keyed processor; the state of each key goes in with its rows, and comes out.
//!
//! Rows without a key are passed over. Where other nodes read the store, a call has each key once,
//! so that every state between is seen.

use std::ops::Range;

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::dropped::Reason;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::trouble::{Trouble, malformed};
use crate::record::Batch;
use crate::store::StoreId;
use crate::topology::NodeId;

use super::Emitted;
use super::emitted::{check, number};
use super::interner::Interner;

/// Updates the keys of the rows.
pub(super) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    (function, store): (FunctionId, StoreId),
    rows: &Batch,
    places: &Places,
) -> Result<Emitted, Error> {
    let mut taken = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if rows.keys.is_null(row) {
            pass.drop_row(node, Reason::NullKey);
        } else {
            taken.push(number(row));
        }
    }
    let keyed = if taken.len() == rows.len() {
        None
    } else {
        Some(rows.select(&taken))
    };
    let call = Call {
        node,
        function,
        store,
        rows: keyed.as_ref().unwrap_or(rows),
        places: &places.select(&taken),
    };
    let mut emitted = Emitted::none();
    let place_of = |row: usize| call.places.row(row);
    for range in call.parts(pass.topology.store(store).read_by_others) {
        pass.halving(node, range, &place_of, &mut |pass, range| {
            call.attempt(pass, range, &mut emitted)
        })?;
    }
    Ok(emitted.of_rows(&taken))
}

struct Call<'a> {
    node: NodeId,
    function: FunctionId,
    store: StoreId,
    /// With keys, all of them.
    rows: &'a Batch,
    places: &'a Places,
}

impl Call<'_> {
    fn key(&self, row: usize) -> &[u8] {
        self.rows
            .keys
            .get(row)
            .expect("rows without a key were passed over")
    }

    /// The rows in one part, or in parts that have each key once.
    fn parts(&self, each_key_once: bool) -> Vec<Range<usize>> {
        if !each_key_once {
            return std::iter::once(0..self.rows.len()).collect();
        }
        let mut parts = Vec::new();
        let (mut start, mut seen) = (0, Interner::default());
        for row in 0..self.rows.len() {
            let known = seen.keys().len();
            if (seen.number(self.key(row)) as usize) < known {
                parts.push(start..row);
                (start, seen) = (row, Interner::default());
                seen.number(self.key(row));
            }
        }
        parts.push(start..self.rows.len());
        parts
    }

    fn attempt(
        &self,
        pass: &mut Pass<'_>,
        range: Range<usize>,
        emitted: &mut Emitted,
    ) -> Result<(), Trouble> {
        let mut keys = Interner::default();
        let groups: Vec<u32> = range
            .clone()
            .map(|row| keys.number(self.key(row)))
            .collect();
        let before = pass.overlay.get_many(self.store, keys.keys())?;
        let input = super::emitted::part(self.rows, &range);
        let updated = pass
            .functions
            .update(self.function, &input, &groups, &before.values);
        let updated = updated.map_err(|failure| pass.trouble(self.node, failure))?;
        check(&updated.output, range.len(), 1, pass.limits)?;
        if updated.states.len() != keys.keys().len() {
            return Err(malformed(format!(
                "{} states for {} groups",
                updated.states.len(),
                keys.keys().len()
            )));
        }
        let place_of = |row: usize| self.places.row(row);
        pass.reject(self.node, &updated.output.rejected, range.start, &place_of);
        let mut last = vec![(range.start, i64::MIN); keys.keys().len()];
        for (row, &group) in range.clone().zip(&groups) {
            let (last, timestamp) = &mut last[group as usize];
            (*last, *timestamp) = (row, self.rows.timestamps[row].max(*timestamp));
        }
        for (group, &(row, timestamp)) in last.iter().enumerate() {
            let (old, new) = (before.values.get(group), updated.states.get(group));
            if old != new {
                let timestamp = if old.is_some() {
                    timestamp.max(before.timestamps[group])
                } else {
                    timestamp
                };
                let key = keys.key(number(group));
                pass.overlay
                    .put(self.store, self.places.row(row), key, new, timestamp);
            }
        }
        emitted.append(updated.output, self.rows, &range);
        Ok(())
    }
}
