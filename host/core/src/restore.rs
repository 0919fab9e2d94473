//! Restore: rows of a changelog made the writes of a store again.
//!
//! A changelog row is what a commit wrote: the entry's key, value (null: deleted) and timestamp. A
//! table without a changelog of its own reads its source topic the same way, and so does a global
//! table, which is never anything but restored.

use crate::record::Batch;
use crate::store::Writes;

/// The writes that `rows` of one partition of a changelog stand for, to be committed to the backend
/// together with `next_offset`, the offset after them. Rows without a key are passed over, as a
/// table passes them over; of several rows of one key the last one counts. Headers are dropped.
pub fn writes(rows: &Batch, next_offset: i64) -> Writes {
    let mut order: Vec<(&[u8], usize)> = rows
        .keys
        .iter()
        .enumerate()
        .filter_map(|(row, key)| Some((key?, row)))
        .collect();
    order.sort_unstable();
    let mut last = Batch::default();
    for (at, &(key, row)) in order.iter().enumerate() {
        if order.get(at + 1).is_none_or(|&(next, _)| next != key) {
            last.push(Some(key), rows.values.get(row), rows.timestamps[row]);
        }
    }
    Writes {
        rows: last,
        expired: Vec::new(),
        changelog_end: Some(next_offset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_of_a_key_counts_and_rows_without_a_key_do_not() {
        let mut rows = Batch::default();
        rows.push_with_headers(Some(b"b"), Some(b"1"), 10, [("h", None)]);
        rows.push(None, Some(b"lost"), 11);
        rows.push(Some(b"a"), Some(b"2"), 12);
        rows.push(Some(b"b"), None, 9);
        let mut expected = Batch::default();
        expected.push(Some(b"a"), Some(b"2"), 12);
        expected.push(Some(b"b"), None, 9);
        let writes = writes(&rows, 8);
        assert_eq!((writes.rows, writes.changelog_end), (expected, Some(8)));
    }
}
