//! Columns, as the SDK reads and writes them: a cursor over each, and a writer that encodes in
//! place.
//!
//! Nothing here allocates a row. The host is trusted to hand over columns whose lengths add up; a
//! row that is not there is a panic, which traps.

use crate::bindings::weir::service::records::{Batch, Column, HeaderColumns};

/// The rows of a column, found by number.
pub(crate) struct Rows<'a> {
    column: &'a Column,
    starts: Vec<usize>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(column: &'a Column) -> Rows<'a> {
        let mut starts = Vec::with_capacity(column.lengths.len());
        let mut end = 0;
        for &length in &column.lengths {
            starts.push(end);
            end += usize::try_from(length).unwrap_or(0);
        }
        Rows { column, starts }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The bytes of all rows together.
    pub(crate) fn bytes(&self) -> usize {
        self.column.bytes.len()
    }

    /// The bytes of a row, or `None` for null.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.column.lengths[row]).ok()?;
        let start = self.starts[row];
        Some(&self.column.bytes[start..start + length])
    }
}

/// A batch, its rows found by number.
pub(crate) struct BatchRows<'a> {
    keys: Rows<'a>,
    values: Rows<'a>,
    timestamps: &'a [i64],
    headers: Option<HeaderRows<'a>>,
}

struct HeaderRows<'a> {
    firsts: Vec<usize>,
    counts: &'a [u32],
    names: Rows<'a>,
    values: Rows<'a>,
}

/// A row as it lies in its batch.
#[derive(Clone, Copy)]
pub(crate) struct RawRow<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: i64,
    pub(crate) headers: Headers<'a>,
}

impl<'a> BatchRows<'a> {
    pub(crate) fn of(batch: &'a Batch) -> BatchRows<'a> {
        BatchRows {
            keys: Rows::of(&batch.keys),
            values: Rows::of(&batch.values),
            timestamps: &batch.timestamps,
            headers: batch.headers.as_ref().map(HeaderRows::of),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    #[inline(always)]
    pub(crate) fn get<'b>(&'b self, row: usize) -> RawRow<'b>
    where
        'a: 'b,
    {
        RawRow {
            key: self.keys.get(row),
            value: self.values.get(row),
            timestamp: self.timestamps[row],
            headers: Headers {
                of: self.headers.as_ref().map(|headers| (headers, row)),
            },
        }
    }
}

impl<'a> HeaderRows<'a> {
    fn of(headers: &'a HeaderColumns) -> HeaderRows<'a> {
        let firsts = headers.counts.iter().scan(0, |next, &count| {
            let first = *next;
            *next += count as usize;
            Some(first)
        });
        HeaderRows {
            firsts: firsts.collect(),
            counts: &headers.counts,
            names: Rows::of(&headers.names),
            values: Rows::of(&headers.values),
        }
    }
}

/// The headers of a row, in order; names may repeat.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    of: Option<(&'a HeaderRows<'a>, usize)>,
}

impl<'a> Headers<'a> {
    /// All of them: name and value, which may be null.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        let entries = self.of.map(|(headers, row)| {
            let first = headers.firsts[row];
            (first..first + headers.counts[row] as usize).map(move |entry| {
                let name = headers.names.get(entry).unwrap_or_default();
                let name = std::str::from_utf8(name).unwrap_or("not utf-8");
                (name, headers.values.get(entry))
            })
        });
        entries.into_iter().flatten()
    }

    /// The value of the last header of this name (the one that counts, as in Kafka).
    pub fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .filter(|(other, _)| *other == name)
            .last()
            .and_then(|(_, value)| value)
    }
}

impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self
            .iter()
            .map(|(name, value)| (name, value.map(|bytes| bytes.escape_ascii().to_string())));
        f.debug_list().entries(shown).finish()
    }
}

impl Column {
    /// With room for so many rows, and for all their bytes.
    pub(crate) fn with_room(rows: usize, bytes: usize) -> Column {
        Column {
            bytes: Vec::with_capacity(bytes),
            lengths: Vec::with_capacity(rows),
        }
    }

    /// Appends a row, or null.
    #[inline(always)]
    pub(crate) fn push(&mut self, row: Option<&[u8]>) {
        match row {
            None => self.lengths.push(-1),
            Some(row) => {
                self.bytes.extend_from_slice(row);
                self.lengths.push(length(row.len()));
            }
        }
    }

    /// Appends the row that `write` writes at the end of the bytes; `false` from it makes the row
    /// null, an error none at all.
    pub(crate) fn push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        match write(&mut self.bytes) {
            Ok(true) => self.lengths.push(length(self.bytes.len() - start)),
            Ok(false) => {
                self.bytes.truncate(start);
                self.lengths.push(-1);
            }
            Err(error) => {
                self.bytes.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes the last row off again.
    pub(crate) fn pop(&mut self) {
        if let Some(length) = self.lengths.pop() {
            let length = usize::try_from(length).unwrap_or(0);
            self.bytes.truncate(self.bytes.len() - length);
        }
    }

    /// Takes all rows after the first `rows` off again.
    pub(crate) fn cut(&mut self, rows: usize) {
        while self.lengths.len() > rows {
            self.pop();
        }
    }
}

#[inline(always)]
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a row stays below 2 GiB")
}
