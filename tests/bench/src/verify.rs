//! The proof that an output is what its input demands: nothing missing, doubled or wrong.
//!
//! Pure: it is fed the output's committed rows in the order of each partition, and knows the input
//! from [`Rows`].

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::rows::{Rows, key_number};

/// What windows are cut to, in ms.
const WINDOW_MS: i64 = 60_000;

/// What was found. An output is right if all but `rows` is zero.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// Rows of the output.
    pub(crate) rows: u64,
    /// Rows that should be there.
    pub(crate) missing: u64,
    /// Rows that came again.
    pub(crate) doubled: u64,
    /// Rows that no input explains.
    pub(crate) wrong: u64,
}

impl Verdict {
    /// Whether the output is what it must be.
    pub(crate) fn is_right(&self) -> bool {
        self.missing + self.doubled + self.wrong == 0
    }
}

/// What is held against an output.
pub(crate) enum Verifier {
    /// One row for each row.
    Each(Each),
    /// Running counts.
    Counts(Counts),
}

impl Verifier {
    /// Takes the output's next row.
    pub(crate) fn row(&mut self, key: &[u8], value: &[u8]) {
        match self {
            Self::Each(each) => each.row(key, value),
            Self::Counts(counts) => counts.row(key, value),
        }
    }

    /// The judgement, when all rows were given.
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Each(each) => each.verdict(),
            Self::Counts(counts) => counts.verdict(),
        }
    }
}

/// What becomes of a row.
pub(crate) enum Change {
    /// Nothing.
    Same,
    /// The table's value follows its own.
    Joined(Rows),
    /// The JSON of a line becomes that of a priced line.
    Priced,
}

/// Each row of the input is in the output once, changed as it should be.
pub(crate) struct Each {
    rows: Rows,
    change: Change,
    seen: Vec<bool>,
    found: Verdict,
    expected: Vec<u8>,
    right: Vec<u8>,
}

impl Each {
    /// Expects all `rows`.
    pub(crate) fn new(rows: Rows, change: Change) -> Self {
        Self {
            seen: vec![false; rows.count as usize],
            rows,
            change,
            found: Verdict::default(),
            expected: Vec::new(),
            right: Vec::new(),
        }
    }

    fn row(&mut self, key: &[u8], value: &[u8]) {
        self.found.rows += 1;
        match self.index(key, value) {
            None => self.found.wrong += 1,
            Some(i) if self.seen[i] => self.found.doubled += 1,
            Some(i) => self.seen[i] = true,
        }
    }

    /// Which row of the input this is the answer to; `None`: to none.
    fn index(&mut self, key: &[u8], value: &[u8]) -> Option<usize> {
        let key = key_number(key)?;
        let i = if matches!(self.change, Change::Priced) {
            let priced: crate::rows::Priced = serde_json::from_slice(value).ok()?;
            (priced.id < self.rows.count && priced == self.rows.priced(priced.id))
                .then_some(priced.id)?
        } else {
            let i = u64::from_be_bytes(*value.first_chunk()?);
            (i < self.rows.count && self.is_right(i, key, value)).then_some(i)?
        };
        (self.rows.key(i) == key).then_some(i as usize)
    }

    fn is_right(&mut self, i: u64, key: u64, value: &[u8]) -> bool {
        self.rows.value(i, &mut self.expected);
        if let Change::Joined(table) = &self.change {
            // Each key of the table once, in order: the key's number is the row's.
            table.value(key, &mut self.right);
            self.expected.extend_from_slice(&self.right);
        }
        self.expected == value
    }

    fn verdict(mut self) -> Verdict {
        self.found.missing = self.seen.iter().filter(|seen| !**seen).count() as u64;
        self.found
    }
}

/// For each key (and window) the counts 1, 2, 3 … n come in order.
#[derive(Default)]
pub(crate) struct Counts {
    windowed: bool,
    groups: HashMap<(u64, i64), Group>,
    found: Verdict,
}

#[derive(Default)]
struct Group {
    expected: u64,
    seen: u64,
}

impl Counts {
    /// Counts of each key, of no row yet.
    pub(crate) fn by_key() -> Self {
        Self::default()
    }

    /// Counts of each key and minute, of no row yet.
    pub(crate) fn by_key_and_minute() -> Self {
        Self {
            windowed: true,
            ..Self::default()
        }
    }

    /// Expects the counts of these rows, too.
    pub(crate) fn with(mut self, rows: &Rows) -> Self {
        for i in 0..rows.count {
            let at = if self.windowed {
                let at = rows.timestamp_ms(i);
                at - at.rem_euclid(WINDOW_MS)
            } else {
                0
            };
            self.groups.entry((rows.key(i), at)).or_default().expected += 1;
        }
        self
    }

    fn row(&mut self, key: &[u8], value: &[u8]) {
        self.found.rows += 1;
        let count = <[u8; 8]>::try_from(value).map(u64::from_be_bytes);
        let group = self.group(key).and_then(|id| self.groups.get_mut(&id));
        match (group, count) {
            (Some(group), Ok(count)) if count == group.seen + 1 => group.seen = count,
            (Some(group), Ok(count)) if count <= group.seen => self.found.doubled += 1,
            _ => self.found.wrong += 1,
        }
    }

    fn group(&self, key: &[u8]) -> Option<(u64, i64)> {
        if self.windowed {
            let (key, start) = key.split_last_chunk()?;
            Some((key_number(key)?, i64::from_be_bytes(*start)))
        } else {
            Some((key_number(key)?, 0))
        }
    }

    fn verdict(mut self) -> Verdict {
        for group in self.groups.values() {
            self.found.missing += group.expected.saturating_sub(group.seen);
            self.found.wrong += group.seen.saturating_sub(group.expected);
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::rows::{Body, key_bytes};

    fn rows(body: Body) -> Rows {
        Rows {
            count: 3,
            keys: 2,
            body,
            first_ms: 60_000,
            step_us: 30_000_000,
        }
    }

    fn value(rows: &Rows, i: u64) -> Vec<u8> {
        let mut value = Vec::new();
        rows.value(i, &mut value);
        value
    }

    fn feed(verifier: &mut Verifier, rows: &Rows, indices: &[u64]) {
        for &i in indices {
            verifier.row(&key_bytes(rows.key(i)), &value(rows, i));
        }
    }

    fn found(rows: u64, missing: u64, doubled: u64, wrong: u64) -> Verdict {
        Verdict {
            rows,
            missing,
            doubled,
            wrong,
        }
    }

    #[test]
    fn the_same_rows_in_any_order_are_right() {
        let rows = rows(Body::Bytes(20));
        let mut verifier = Verifier::Each(Each::new(rows.clone(), Change::Same));
        feed(&mut verifier, &rows, &[2, 0, 1]);
        let verdict = verifier.verdict();
        assert_eq!(verdict, found(3, 0, 0, 0));
        assert!(verdict.is_right());
    }

    #[test]
    fn a_lost_and_a_doubled_row_do_not_make_up_for_each_other() {
        let rows = rows(Body::Bytes(20));
        let mut verifier = Verifier::Each(Each::new(rows.clone(), Change::Same));
        feed(&mut verifier, &rows, &[2, 0, 2]);
        let verdict = verifier.verdict();
        assert_eq!(verdict, found(3, 1, 1, 0));
        assert!(!verdict.is_right());
    }

    #[test]
    fn a_row_with_another_key_or_value_or_an_unknown_index_is_wrong() {
        let rows = rows(Body::Bytes(20));
        let mut verifier = Verifier::Each(Each::new(rows.clone(), Change::Same));
        feed(&mut verifier, &rows, &[0, 1, 2]);
        verifier.row(&key_bytes(1 - rows.key(0)), &value(&rows, 0));
        let mut changed = value(&rows, 1);
        changed[19] ^= 1;
        verifier.row(&key_bytes(rows.key(1)), &changed);
        verifier.row(&key_bytes(rows.key(0)), &3u64.to_be_bytes());
        verifier.row(b"", b"");
        assert_eq!(verifier.verdict(), found(7, 0, 0, 4));
    }

    #[test]
    fn a_join_appends_the_value_of_the_keys_row_in_the_table() {
        let left = rows(Body::Bytes(20));
        let mut table = rows(Body::Bytes(10));
        (table.count, table.keys) = (2, 2);
        let mut verifier = Verifier::Each(Each::new(left.clone(), Change::Joined(table.clone())));
        for i in 0..3 {
            let key = left.key(i);
            let joined = [value(&left, i), value(&table, key)].concat();
            verifier.row(&key_bytes(key), &joined);
        }
        feed(&mut verifier, &left, &[0]); // without the table's part
        assert_eq!(verifier.verdict(), found(4, 0, 0, 1));
    }

    #[test]
    fn a_priced_line_is_compared_by_its_content() {
        let rows = rows(Body::Json);
        let mut verifier = Verifier::Each(Each::new(rows.clone(), Change::Priced));
        for i in 0..3 {
            let priced = serde_json::to_string_pretty(&rows.priced(i)).unwrap();
            verifier.row(&key_bytes(rows.key(i)), priced.as_bytes());
        }
        feed(&mut verifier, &rows, &[0]); // as it was read
        assert_eq!(verifier.verdict(), found(4, 0, 0, 1));
    }

    #[test]
    fn counts_go_up_by_one_for_each_key() {
        let mut rows = rows(Body::Bytes(8));
        (rows.count, rows.keys) = (2, 2);
        let counts = Counts::by_key().with(&rows).with(&rows);
        let mut verifier = Verifier::Counts(counts);
        let mut row = |key, count: u64| verifier.row(&key_bytes(key), &count.to_be_bytes());
        row(0, 1);
        row(0, 2);
        row(0, 2); // again
        row(1, 2); // before 1
        row(2, 1); // a key that never came
        // Both counts of key 1 are missing.
        assert_eq!(verifier.verdict(), found(5, 2, 1, 2));
    }

    #[test]
    fn a_count_beyond_the_input_is_wrong() {
        let mut rows = rows(Body::Bytes(8));
        (rows.count, rows.keys) = (1, 1);
        let mut verifier = Verifier::Counts(Counts::by_key().with(&rows));
        for count in 1..=3u64 {
            verifier.row(&key_bytes(0), &count.to_be_bytes());
        }
        assert_eq!(verifier.verdict(), found(3, 0, 0, 2));
    }

    #[test]
    fn windows_are_minutes_of_event_time() {
        // Rows at 1:00, 1:30 and 2:00.
        let mut rows = rows(Body::Bytes(8));
        rows.keys = 1;
        let mut verifier = Verifier::Counts(Counts::by_key_and_minute().with(&rows));
        let mut row = |start: i64, count: u64| {
            let key = [key_bytes(0).as_slice(), &start.to_be_bytes()].concat();
            verifier.row(&key, &count.to_be_bytes());
        };
        row(60_000, 1);
        row(60_000, 2);
        row(120_000, 1);
        assert_eq!(verifier.verdict(), found(3, 0, 0, 0));
    }
}
