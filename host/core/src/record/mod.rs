//! Rows, side by side in columns.
//!
//! A [`Batch`] is the form in which rows live from the consumer to the producer and across the
//! border to a guest: a few flat columns, no allocation a row. All columns of a batch have the same
//! number of rows.

mod column;
mod headers;

pub use column::{Column, Malformed};
pub use headers::Headers;

/// Rows: keys, values, timestamps and headers in columns of the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Null: no key.
    pub keys: Column,
    /// Null: a tombstone.
    pub values: Column,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// `None` where no row has a header.
    pub headers: Option<Headers>,
}

impl Batch {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Appends a row without headers.
    pub fn push(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: i64) {
        self.keys.push(key);
        self.values.push(value);
        self.timestamps.push(timestamp);
        if let Some(headers) = &mut self.headers {
            headers.push_row([]);
        }
    }

    /// Appends a row with headers.
    pub fn push_with_headers<'a>(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) {
        let mut headers = headers.into_iter().peekable();
        if headers.peek().is_some() && self.headers.is_none() {
            self.headers = Some(Headers::empty_rows(self.len()));
        }
        self.keys.push(key);
        self.values.push(value);
        self.timestamps.push(timestamp);
        if let Some(columns) = &mut self.headers {
            columns.push_row(headers);
        }
    }

    /// Appends row `row` of `other`, headers included. Panics where there is no such row.
    pub fn push_row_of(&mut self, other: &Batch, row: usize) {
        let (key, value) = (other.keys.get(row), other.values.get(row));
        match &other.headers {
            None => self.push(key, value, other.timestamps[row]),
            Some(headers) => {
                self.push_with_headers(key, value, other.timestamps[row], headers.row(row));
            }
        }
    }

    /// The rows at `rows`, in that order. Panics where there is no such row.
    pub fn select(&self, rows: &[u32]) -> Batch {
        Batch {
            keys: self.keys.select(rows),
            values: self.values.select(rows),
            timestamps: rows
                .iter()
                .map(|&row| self.timestamps[row as usize])
                .collect(),
            headers: self.headers.as_ref().map(|headers| headers.select(rows)),
        }
    }

    /// The rows in `rows`, each column copied at one go. Panics where there are no such rows.
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Batch {
        Batch {
            keys: self.keys.slice(rows.clone()),
            values: self.values.slice(rows.clone()),
            timestamps: self.timestamps[rows.clone()].to_vec(),
            headers: self.headers.as_ref().map(|headers| headers.slice(rows)),
        }
    }

    /// Appends all rows of `other`, headers included.
    pub fn append(&mut self, other: &Batch) {
        match (&mut self.headers, &other.headers) {
            (None, None) => {}
            (Some(headers), Some(others)) => headers.append(others),
            (Some(headers), None) => headers.append(&Headers::empty_rows(other.len())),
            (None, Some(others)) => {
                let mut headers = Headers::empty_rows(self.timestamps.len());
                headers.append(others);
                self.headers = Some(headers);
            }
        }
        self.keys.append(&other.keys);
        self.values.append(&other.values);
        self.timestamps.extend_from_slice(&other.timestamps);
    }

    /// Whether all columns have the same number of rows, and what is wrong where not.
    pub fn check(&self) -> Result<(), Malformed> {
        let rows = self.len();
        Malformed::unless("keys", self.keys.len() == rows)?;
        Malformed::unless("values", self.values.len() == rows)?;
        Malformed::unless(
            "headers",
            self.headers.as_ref().is_none_or(|h| h.len() == rows),
        )
    }
}
