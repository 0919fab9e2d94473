//! Functions: what the host calls by number, each one a closure over columns that the operators
//! have made of the author's.

use crate::bindings::weir::service::http;
use crate::bindings::weir::service::records::{
    Batch, Column, Combined, Folded, Output, Rejection, Steps, Updated,
};
use crate::state::Access;

pub(crate) type Transform = dyn Fn(&Batch) -> Output;
pub(crate) type Combine = dyn Fn(&Column, &Column, &Column) -> Combined;
pub(crate) type Fold = dyn Fn(&Batch, &Steps, &Column) -> Folded;
pub(crate) type Update = dyn Fn(&Batch, &[u32], &Column) -> Updated;
pub(crate) type Process = dyn Fn(&Batch, &[i64], &mut dyn Access) -> Output;
pub(crate) type Punctuate = dyn Fn(i64, &mut dyn Access) -> Output;
pub(crate) type Locate = dyn Fn(&http::Request) -> Result<Vec<u8>, http::Response>;
pub(crate) type Handle = dyn Fn(&[http::Request], &mut dyn Access) -> Vec<http::Outcome>;
pub(crate) type Answer = dyn Fn(&http::Request, &mut dyn Access) -> Option<http::Response>;

/// One function.
pub(crate) enum Function {
    Transform(Box<Transform>),
    Combine(Box<Combine>),
    Fold(Box<Fold>),
    Update(Box<Update>),
    Process {
        rows: Box<Process>,
        schedules: Vec<Box<Punctuate>>,
    },
    Locate(Box<Locate>),
    Handle(Box<Handle>),
    Answer(Box<Answer>),
}

/// Refuses the row at hand; the reason is for people.
#[derive(Debug)]
pub(crate) struct Reject(pub(crate) String);

impl From<crate::format::Error> for Reject {
    fn from(error: crate::format::Error) -> Reject {
        Reject(error.to_string())
    }
}

/// Output rows as they are made, one input row after the other.
pub(crate) struct Outputs {
    output: Output,
    row: u32,
    first: usize,
}

impl Outputs {
    /// With room for rows like these.
    pub(crate) fn like(input: &Batch) -> Outputs {
        let (keys, values) = (input.keys.bytes.len(), input.values.bytes.len());
        Outputs::with_room(input.timestamps.len(), keys, values)
    }

    /// With room for so many rows, and for the bytes of their keys and values.
    pub(crate) fn with_room(rows: usize, keys: usize, values: usize) -> Outputs {
        Outputs {
            output: Output {
                rows: Batch {
                    keys: Column::with_room(rows, keys),
                    values: Column::with_room(rows, values),
                    timestamps: Vec::with_capacity(rows),
                    headers: None,
                },
                origins: Vec::with_capacity(rows),
                ports: Vec::new(),
                rejected: Vec::new(),
            },
            row: 0,
            first: 0,
        }
    }

    /// Begins with input row `row`.
    #[inline(always)]
    pub(crate) fn begin(&mut self, row: usize) {
        self.row = row_number(row);
        self.first = self.output.origins.len();
    }

    /// Ends with that row. If it is refused, what it has made so far is taken back.
    #[inline(always)]
    pub(crate) fn end(&mut self, result: Result<(), Reject>) {
        if let Err(Reject(reason)) = result {
            let first = self.first;
            self.output.rows.keys.cut(first);
            self.output.rows.values.cut(first);
            self.output.rows.timestamps.truncate(first);
            self.output.origins.truncate(first);
            self.output.ports.truncate(first);
            let row = self.row;
            self.output.rejected.push(Rejection { row, reason });
        }
    }

    /// Appends a row.
    #[inline(always)]
    pub(crate) fn push(
        &mut self,
        key: impl FnOnce(&mut Column) -> Result<(), Reject>,
        value: impl FnOnce(&mut Column) -> Result<(), Reject>,
        timestamp: i64,
    ) -> Result<(), Reject> {
        key(&mut self.output.rows.keys)?;
        if let Err(reject) = value(&mut self.output.rows.values) {
            self.output.rows.keys.pop();
            return Err(reject);
        }
        self.output.rows.timestamps.push(timestamp);
        self.output.origins.push(self.row);
        Ok(())
    }

    /// Appends a row that leaves by `port`. Every row does, or none.
    pub(crate) fn push_to(
        &mut self,
        port: u8,
        key: impl FnOnce(&mut Column) -> Result<(), Reject>,
        value: impl FnOnce(&mut Column) -> Result<(), Reject>,
        timestamp: i64,
    ) -> Result<(), Reject> {
        self.push(key, value, timestamp)?;
        self.output.ports.push(port);
        Ok(())
    }

    /// All that was made.
    pub(crate) fn finish(self) -> Output {
        self.output
    }
}

/// The number of a row, as the contract has it.
#[inline(always)]
pub(crate) fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("a batch has fewer than 4 G rows")
}
