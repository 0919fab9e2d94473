//! What a node made of its rows, and which of them each came of.

use std::ops::Range;

use crate::functions::Output;
use crate::pass::flow::{Flow, Places};
use crate::pass::trouble::{Trouble, malformed};
use crate::record::{Batch, Column};
use crate::store::buffer::Update;

/// Rows out, each of a row in.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    rows: Batch,
    /// What each row's key had before, where it is told.
    olds: Option<Column>,
    /// The row in of each, ascending; `None`: row i comes of row i.
    parents: Option<Vec<u32>>,
    /// Empty: all by port 0.
    ports: Vec<u8>,
}

impl Emitted {
    /// The rows as they came.
    pub(crate) fn all(rows: Batch) -> Emitted {
        Emitted {
            rows,
            olds: None,
            parents: None,
            ports: Vec::new(),
        }
    }

    /// No row yet.
    pub(crate) fn none() -> Emitted {
        Emitted {
            rows: Batch::default(),
            olds: None,
            parents: Some(Vec::new()),
            ports: Vec::new(),
        }
    }

    /// No row yet; each will tell its old value, or not.
    pub(crate) fn changes(tells_old: bool) -> Emitted {
        Emitted {
            olds: tells_old.then(Column::default),
            ..Emitted::none()
        }
    }

    /// The rows at `rows` of those that came.
    pub(crate) fn some(rows: &Batch, kept: Vec<u32>) -> Emitted {
        Emitted {
            rows: rows.select(&kept),
            olds: None,
            parents: Some(kept),
            ports: Vec::new(),
        }
    }

    /// The same rows, with what their keys had before.
    pub(crate) fn telling(self, olds: Option<Column>) -> Emitted {
        Emitted { olds, ..self }
    }

    /// The rows.
    pub(crate) fn rows(&self) -> &Batch {
        &self.rows
    }

    /// The places of the rows, where those of the rows that came are `places`.
    pub(crate) fn places<'p>(&self, places: &'p Places) -> std::borrow::Cow<'p, Places> {
        match &self.parents {
            None => std::borrow::Cow::Borrowed(places),
            Some(parents) => std::borrow::Cow::Owned(places.below(parents)),
        }
    }

    /// Appends a row with the headers of `parent`. Parents go up.
    pub(crate) fn push(
        &mut self,
        input: &Batch,
        parent: usize,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
    ) {
        self.push_change(input, parent, key, (value, None), timestamp);
    }

    /// As [`Emitted::push`], with the new and the old value, which is kept only where it is told.
    pub(crate) fn push_change(
        &mut self,
        input: &Batch,
        parent: usize,
        key: Option<&[u8]>,
        (value, old): (Option<&[u8]>, Option<&[u8]>),
        timestamp: i64,
    ) {
        if let Some(olds) = &mut self.olds {
            olds.push(old);
        }
        match &input.headers {
            None => self.rows.push(key, value, timestamp),
            Some(headers) => {
                self.rows
                    .push_with_headers(key, value, timestamp, headers.row(parent))
            }
        }
        self.came_of(parent);
    }

    /// Appends an update that was held back, with its own headers, on behalf of `parent`.
    pub(crate) fn push_update(&mut self, parent: usize, key: &[u8], update: &Update) {
        let Update {
            value,
            old,
            timestamp,
            headers,
        } = update;
        if let Some(olds) = &mut self.olds {
            olds.push(old.as_deref());
        }
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()));
        self.rows
            .push_with_headers(Some(key), value.as_deref(), *timestamp, headers);
        self.came_of(parent);
    }

    fn came_of(&mut self, parent: usize) {
        let parent = u32::try_from(parent).expect("a batch is numbered in u32");
        self.parents.get_or_insert_default().push(parent);
    }

    /// Appends what a function made of the rows in `range`; it must have been found good. An answer
    /// for all rows is moved.
    pub(crate) fn append(&mut self, output: Output, input: &Batch, range: &Range<usize>) {
        let Output {
            mut rows,
            origins,
            ports,
            ..
        } = output;
        if rows.headers.is_none()
            && let Some(headers) = &input.headers
        {
            let parents: Vec<u32> = origins
                .iter()
                .map(|&origin| origin + number(range.start))
                .collect();
            rows.headers = Some(headers.select(&parents));
        }
        if self.rows.is_empty() && range.len() == input.len() {
            *self = Emitted {
                rows,
                olds: None,
                parents: Some(origins),
                ports,
            };
            return;
        }
        for (row, &origin) in origins.iter().enumerate() {
            self.rows.push_row_of(&rows, row);
            self.came_of(range.start + origin as usize);
            if !ports.is_empty() || !self.ports.is_empty() {
                self.ports.resize(self.rows.len() - 1, 0);
                self.ports.push(ports.get(row).copied().unwrap_or(0));
            }
        }
    }

    /// Appends the rows of a later part.
    pub(crate) fn join(&mut self, later: Emitted) {
        if self.rows.is_empty() {
            *self = later;
            return;
        }
        let parents = later.parents.unwrap_or_default();
        for (row, &parent) in parents.iter().enumerate() {
            self.rows.push_row_of(&later.rows, row);
            self.came_of(parent as usize);
        }
        if let (Some(olds), Some(later)) = (&mut self.olds, &later.olds) {
            olds.append(later);
        }
    }

    /// The same, where the rows that came were those at `taken` of the node's.
    pub(crate) fn of_rows(mut self, taken: &[u32]) -> Emitted {
        for parent in self.parents.iter_mut().flatten() {
            *parent = taken[*parent as usize];
        }
        self
    }

    /// The rows with their places, and the port of each.
    pub(crate) fn into_flow(self, places: Places) -> (Flow, Vec<u8>) {
        let places = match self.parents {
            None => places,
            Some(parents) => places.below(&parents),
        };
        (
            Flow {
                rows: self.rows,
                olds: self.olds,
                places,
            },
            self.ports,
        )
    }
}

/// A row's number.
pub(crate) fn number(row: usize) -> u32 {
    u32::try_from(row).expect("a batch is numbered in u32")
}

/// Whether an answer to `rows` rows keeps the contract.
pub(crate) fn check(
    output: &Output,
    rows: usize,
    ports: u8,
    limits: &crate::limits::Limits,
) -> Result<(), Trouble> {
    output
        .rows
        .check()
        .map_err(|wrong| malformed(wrong.to_string()))?;
    let made = output.rows.len();
    let bytes = output.rows.keys.bytes().len() + output.rows.values.bytes().len();
    if made > limits.max_output_rows || bytes > limits.max_output_bytes {
        let most = format!(
            "{} rows or {} bytes",
            limits.max_output_rows, limits.max_output_bytes
        );
        return Err(malformed(format!(
            "{made} rows of {bytes} bytes, but one call may make at most {most}"
        )));
    }
    if output.origins.len() != made {
        return Err(malformed(format!(
            "{} origins for {made} rows",
            output.origins.len()
        )));
    }
    let ascending = output.origins.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascending
        || output
            .origins
            .last()
            .is_some_and(|&last| last as usize >= rows)
    {
        return Err(malformed(format!(
            "origins must go up and stay below {rows}"
        )));
    }
    if !output.ports.is_empty() && output.ports.len() != made {
        return Err(malformed(format!(
            "{} ports for {made} rows",
            output.ports.len()
        )));
    }
    if output.ports.iter().any(|&port| port >= ports) {
        return Err(malformed(format!("a port is beyond the node's {ports}")));
    }
    check_rejected(&output.rejected, rows)
}

/// Whether rejected rows go up and are rows of the call.
pub(crate) fn check_rejected(
    rejected: &[crate::functions::Rejection],
    rows: usize,
) -> Result<(), Trouble> {
    let ascending = rejected.windows(2).all(|pair| pair[0].row < pair[1].row);
    if !ascending
        || rejected
            .last()
            .is_some_and(|last| last.row as usize >= rows)
    {
        return Err(malformed(format!(
            "rejected rows must go up and stay below {rows}"
        )));
    }
    Ok(())
}

/// The rows of a range; all of them are borrowed.
pub(crate) fn part<'a>(rows: &'a Batch, range: &Range<usize>) -> std::borrow::Cow<'a, Batch> {
    if range.len() == rows.len() {
        std::borrow::Cow::Borrowed(rows)
    } else {
        let selected: Vec<u32> = range.clone().map(number).collect();
        std::borrow::Cow::Owned(rows.select(&selected))
    }
}
