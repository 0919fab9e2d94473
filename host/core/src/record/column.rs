//! A column: a run of bytes, or null, for each row.
//!
//! Kept as the contract has it (`bytes` back to back, one length a row, -1 for null), with the
//! start of each row beside it, so that a column crosses the border as it stands and any row is
//! found at once.

/// A run of bytes, or null, for each row.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Column {
    bytes: Vec<u8>,
    lengths: Vec<i32>,
    starts: Vec<u32>,
}

/// A column, or a batch of them, whose parts contradict each other. Only a guest can make one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed batch: {0} does not fit the number of rows or bytes")]
pub struct Malformed(pub &'static str);

impl Malformed {
    /// `Err` naming the part unless it fits.
    pub fn unless(part: &'static str, fits: bool) -> Result<(), Malformed> {
        if fits { Ok(()) } else { Err(Malformed(part)) }
    }
}

impl Column {
    /// An empty column with room for `rows` rows of `bytes` bytes together.
    pub fn with_capacity(rows: usize, bytes: usize) -> Column {
        Column {
            bytes: Vec::with_capacity(bytes),
            lengths: Vec::with_capacity(rows),
            starts: Vec::with_capacity(rows),
        }
    }

    /// A column of `rows` nulls.
    pub fn nulls(rows: usize) -> Column {
        Column {
            bytes: Vec::new(),
            lengths: vec![-1; rows],
            starts: vec![0; rows],
        }
    }

    /// From the parts that crossed the border. Errors: lengths that do not add up to the bytes, or
    /// are below -1.
    pub fn from_parts(bytes: Vec<u8>, lengths: Vec<i32>) -> Result<Column, Malformed> {
        let mut starts = Vec::with_capacity(lengths.len());
        let mut end = 0_u64;
        for &length in &lengths {
            Malformed::unless("a length", length >= -1)?;
            starts.push(u32::try_from(end).map_err(|_| Malformed("a column over 4 GiB"))?);
            end += u64::from(length.max(0).unsigned_abs());
        }
        Malformed::unless("the sum of lengths", end == bytes.len() as u64)?;
        Ok(Column {
            bytes,
            lengths,
            starts,
        })
    }

    /// Gives up the parts: bytes back to back, and lengths with -1 for null.
    pub fn into_parts(self) -> (Vec<u8>, Vec<i32>) {
        (self.bytes, self.lengths)
    }

    /// The bytes of all rows, back to back.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length of each row, -1 for null.
    pub fn lengths(&self) -> &[i32] {
        &self.lengths
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Appends a row. Panics past 4 GiB of bytes, which the limits of a batch are far below.
    pub fn push(&mut self, row: Option<&[u8]>) {
        self.starts
            .push(u32::try_from(self.bytes.len()).expect("a column stays below 4 GiB"));
        match row {
            None => self.lengths.push(-1),
            Some(row) => {
                self.bytes.extend_from_slice(row);
                self.lengths
                    .push(i32::try_from(row.len()).expect("a row stays below 2 GiB"));
            }
        }
    }

    /// The row, or `None` for null. Panics where there is no such row.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let length = usize::try_from(self.lengths[row]).ok()?;
        let start = self.starts[row] as usize;
        Some(&self.bytes[start..start + length])
    }

    /// Whether the row is null. Panics where there is no such row.
    pub fn is_null(&self, row: usize) -> bool {
        self.lengths[row] < 0
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The rows at `rows`, in that order.
    pub fn select(&self, rows: &[u32]) -> Column {
        let mut selected = Column::with_capacity(rows.len(), 0);
        for &row in rows {
            selected.push(self.get(row as usize));
        }
        selected
    }

    /// The rows in `rows`, copied at one go. Panics where there are no such rows.
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Column {
        let begin = |row: usize| {
            self.starts
                .get(row)
                .map_or(self.bytes.len(), |&s| s as usize)
        };
        let (from, to) = (begin(rows.start), begin(rows.end));
        Column {
            bytes: self.bytes[from..to].to_vec(),
            lengths: self.lengths[rows.clone()].to_vec(),
            starts: self.starts[rows]
                .iter()
                .map(|start| start - offset(from))
                .collect(),
        }
    }

    /// Appends all rows of `other`. Panics past 4 GiB of bytes, as [`Column::push`] does.
    pub fn append(&mut self, other: &Column) {
        let shift = offset(self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes);
        offset(self.bytes.len());
        self.lengths.extend_from_slice(&other.lengths);
        self.starts
            .extend(other.starts.iter().map(|start| start + shift));
    }

    /// Forgets all rows and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.starts.clear();
    }
}

fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a column stays below 4 GiB")
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |row: Option<&[u8]>| row.map(|bytes| bytes.escape_ascii().to_string());
        f.debug_list().entries(self.iter().map(shown)).finish()
    }
}

impl<'a> FromIterator<Option<&'a [u8]>> for Column {
    fn from_iter<I: IntoIterator<Item = Option<&'a [u8]>>>(rows: I) -> Column {
        let mut column = Column::default();
        rows.into_iter().for_each(|row| column.push(row));
        column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_are_not_the_same() {
        let column: Column = [Some(&b"a"[..]), None, Some(&b""[..]), Some(&b"bc"[..])]
            .into_iter()
            .collect();
        let (bytes, lengths) = column.clone().into_parts();
        assert_eq!(
            (bytes.as_slice(), lengths.as_slice()),
            (&b"abc"[..], &[1, -1, 0, 2][..])
        );
        assert_eq!(Column::from_parts(bytes, lengths), Ok(column));
    }

    #[test]
    fn parts_that_do_not_add_up_are_refused() {
        assert_eq!(
            Column::from_parts(b"abc".to_vec(), vec![1, 1]),
            Err(Malformed("the sum of lengths"))
        );
        assert_eq!(
            Column::from_parts(b"abc".to_vec(), vec![-2, 3]),
            Err(Malformed("a length"))
        );
    }
}
