//! The headers of a batch, in columns.
//!
//! Row i owns the next `counts[i]` entries of names and values, in order; names may repeat and
//! values may be null, as in Kafka.

use super::{Column, Malformed};

/// The headers of each row of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    counts: Vec<u32>,
    firsts: Vec<u32>,
    names: Column,
    values: Column,
}

impl Headers {
    /// No header on any of `rows` rows.
    pub fn empty_rows(rows: usize) -> Headers {
        Headers {
            counts: vec![0; rows],
            firsts: vec![0; rows],
            ..Headers::default()
        }
    }

    /// From the parts that crossed the border. Errors: counts that do not add up, a name that is
    /// null or not utf-8.
    pub fn from_parts(
        counts: Vec<u32>,
        names: Column,
        values: Column,
    ) -> Result<Headers, Malformed> {
        let mut firsts = Vec::with_capacity(counts.len());
        let mut end = 0_u64;
        for &count in &counts {
            firsts.push(u32::try_from(end).map_err(|_| Malformed("header counts"))?);
            end += u64::from(count);
        }
        Malformed::unless("header counts", end == names.len() as u64)?;
        Malformed::unless("header values", names.len() == values.len())?;
        let is_text = |name: Option<&[u8]>| name.is_some_and(|n| std::str::from_utf8(n).is_ok());
        Malformed::unless("a header name", names.iter().all(is_text))?;
        Ok(Headers {
            counts,
            firsts,
            names,
            values,
        })
    }

    /// The parts: how many headers each row has, then all names and all values.
    pub fn parts(&self) -> (&[u32], &Column, &Column) {
        (&self.counts, &self.names, &self.values)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Appends a row with these headers.
    pub fn push_row<'a>(&mut self, headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) {
        let first = self.names.len();
        for (name, value) in headers {
            self.names.push(Some(name.as_bytes()));
            self.values.push(value);
        }
        self.firsts
            .push(u32::try_from(first).expect("a batch stays below 4 G headers"));
        self.counts
            .push(u32::try_from(self.names.len() - first).expect("as above"));
    }

    /// The headers of a row, in order. Panics where there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let first = self.firsts[row] as usize;
        (first..first + self.counts[row] as usize).map(|entry| {
            let name = self.names.get(entry).expect("a name is never null");
            (
                std::str::from_utf8(name).expect("a name is utf-8"),
                self.values.get(entry),
            )
        })
    }

    /// The rows at `rows`, in that order.
    pub fn select(&self, rows: &[u32]) -> Headers {
        let mut selected = Headers::default();
        for &row in rows {
            selected.push_row(self.row(row as usize));
        }
        selected
    }

    /// The rows in `rows`. Panics where there are no such rows.
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Headers {
        let begin = |row: usize| {
            self.firsts
                .get(row)
                .map_or(self.names.len(), |&f| f as usize)
        };
        let (from, to) = (begin(rows.start), begin(rows.end));
        let shift = u32::try_from(from).expect("a batch stays below 4 G headers");
        Headers {
            counts: self.counts[rows.clone()].to_vec(),
            firsts: self.firsts[rows]
                .iter()
                .map(|first| first - shift)
                .collect(),
            names: self.names.slice(from..to),
            values: self.values.slice(from..to),
        }
    }

    /// Appends all rows of `other`.
    pub fn append(&mut self, other: &Headers) {
        let shift = u32::try_from(self.names.len()).expect("a batch stays below 4 G headers");
        self.counts.extend_from_slice(&other.counts);
        self.firsts
            .extend(other.firsts.iter().map(|first| first + shift));
        self.names.append(&other.names);
        self.values.append(&other.values);
    }
}
