//! Flows: rows on their way from node to node, each with its place.
//!
//! A place says where a row stands in the order that row-by-row handling would have: the row's
//! sequence in the batch, then, level by level, the path below it, depth first. A level is added
//! only where it tells rows apart: where an output has several readers, or a node made several rows
//! of one. Places are compared lexicographically; where flows meet, shorter ones are filled up with
//! 0.

use std::cmp::Ordering;

use crate::record::{Batch, Column};

/// The places of rows, row by row in one run of levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    width: usize,
    levels: Vec<u32>,
}

impl Places {
    /// Places of one level.
    pub(crate) fn of_sequences(sequences: Vec<u32>) -> Places {
        Places {
            width: 1,
            levels: sequences,
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.levels.len().checked_div(self.width).unwrap_or(0)
    }

    /// The place of a row.
    pub(crate) fn row(&self, row: usize) -> &[u32] {
        &self.levels[row * self.width..(row + 1) * self.width]
    }

    /// The sequence in the batch of the consumed row that a row goes back to.
    pub(crate) fn sequence(&self, row: usize) -> usize {
        self.levels[row * self.width] as usize
    }

    /// The places at `rows`.
    pub(crate) fn select(&self, rows: &[u32]) -> Places {
        let mut levels = Vec::with_capacity(rows.len() * self.width);
        for &row in rows {
            levels.extend_from_slice(self.row(row as usize));
        }
        Places {
            width: self.width,
            levels,
        }
    }

    /// The places of rows made of those at `parents`, ascending; numbered where there are several
    /// of one.
    pub(crate) fn below(&self, parents: &[u32]) -> Places {
        let repeated = parents.windows(2).any(|pair| pair[0] == pair[1]);
        if !repeated {
            return self.select(parents);
        }
        let mut levels = Vec::with_capacity(parents.len() * (self.width + 1));
        let mut number = 0;
        for (row, &parent) in parents.iter().enumerate() {
            number = if row > 0 && parents[row - 1] == parent {
                number + 1
            } else {
                0
            };
            levels.extend_from_slice(self.row(parent as usize));
            levels.push(number);
        }
        Places {
            width: self.width + 1,
            levels,
        }
    }

    /// All places, one level longer.
    pub(crate) fn with_level(&self, level: u32) -> Places {
        let mut levels = Vec::with_capacity(self.len() * (self.width + 1));
        for row in 0..self.len() {
            levels.extend_from_slice(self.row(row));
            levels.push(level);
        }
        Places {
            width: self.width + 1,
            levels,
        }
    }

    fn push(&mut self, place: &[u32]) {
        self.levels.extend_from_slice(place);
        self.levels
            .resize(self.levels.len() + self.width - place.len(), 0);
    }
}

/// Rows in the order of their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) rows: Batch,
    /// What each row's key had before, where a table tells it.
    pub(crate) olds: Option<Column>,
    pub(crate) places: Places,
}

impl Flow {
    /// Rows that tell no old values.
    pub(crate) fn of(rows: Batch, places: Places) -> Flow {
        Flow {
            rows,
            olds: None,
            places,
        }
    }

    /// The rows at `rows`, in that order.
    pub(crate) fn select(&self, rows: &[u32]) -> Flow {
        Flow {
            rows: self.rows.select(rows),
            olds: self.olds.as_ref().map(|olds| olds.select(rows)),
            places: self.places.select(rows),
        }
    }

    /// The same rows, each place one level longer.
    pub(crate) fn with_level(mut self, level: u32) -> Flow {
        self.places = self.places.with_level(level);
        self
    }
}

/// By which input of its reader each row came.
#[derive(Clone, Debug)]
pub(crate) enum Inputs {
    /// All by the same.
    All(u8),
    /// One a row.
    Each(Vec<u8>),
}

impl Inputs {
    pub(crate) fn of(&self, row: usize) -> u8 {
        match self {
            Inputs::All(input) => *input,
            Inputs::Each(inputs) => inputs[row],
        }
    }
}

/// One flow of several, in the order of places. A single flow is moved.
pub(crate) fn merge(mut flows: Vec<(u8, Flow)>) -> (Flow, Inputs) {
    if flows.len() == 1 {
        let (input, flow) = flows.pop().expect("one is there");
        return (flow, Inputs::All(input));
    }
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (number, (_, flow)) in flows.iter().enumerate() {
        order.extend((0..flow.rows.len()).map(|row| (number, row)));
    }
    let place = |&(flow, row): &(usize, usize)| flows[flow].1.places.row(row);
    order.sort_by(|one, other| compare(place(one), place(other)));
    let width = flows
        .iter()
        .map(|(_, flow)| flow.places.width)
        .max()
        .unwrap_or(1);
    let tells = flows.iter().any(|(_, flow)| flow.olds.is_some());
    let mut merged = Flow {
        rows: Batch::default(),
        olds: tells.then(Column::default),
        places: Places {
            width,
            levels: Vec::with_capacity(order.len() * width),
        },
    };
    let mut inputs = Vec::with_capacity(order.len());
    for (number, row) in order {
        let (input, flow) = &flows[number];
        merged.rows.push_row_of(&flow.rows, row);
        merged.places.push(flow.places.row(row));
        if let Some(olds) = &mut merged.olds {
            olds.push(flow.olds.as_ref().and_then(|olds| olds.get(row)));
        }
        inputs.push(*input);
    }
    (merged, Inputs::Each(inputs))
}

/// The order of two places; levels that one lacks are 0.
pub(crate) fn compare(one: &[u32], other: &[u32]) -> Ordering {
    let common = one.len().min(other.len());
    let beyond = |place: &[u32]| place[common..].iter().any(|&level| level > 0);
    one[..common]
        .cmp(&other[..common])
        .then_with(|| beyond(one).cmp(&beyond(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(rows: &[(&str, &[u32])]) -> Flow {
        let width = rows[0].1.len();
        let mut flow = Flow {
            rows: Batch::default(),
            olds: None,
            places: Places {
                width,
                levels: Vec::new(),
            },
        };
        for (value, place) in rows {
            flow.rows.push(None, Some(value.as_bytes()), 0);
            flow.places.push(place);
        }
        flow
    }

    fn values(flow: &Flow) -> String {
        flow.rows
            .values
            .iter()
            .flatten()
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    #[test]
    fn flows_meet_in_depth_first_order() {
        let left = flow(&[("a", &[0, 0]), ("c", &[1, 0])]);
        let right = flow(&[("b", &[0, 1, 7]), ("d", &[1, 1, 0]), ("e", &[1, 1, 1])]);
        let (merged, inputs) = merge(vec![(0, left), (1, right)]);
        assert_eq!(values(&merged), "abcde");
        assert_eq!(
            (0..5).map(|row| inputs.of(row)).collect::<Vec<_>>(),
            [0, 1, 0, 1, 1]
        );
    }

    #[test]
    fn a_level_is_added_only_where_one_row_became_several() {
        let places = Places::of_sequences(vec![3, 4]);
        assert_eq!(places.below(&[0, 1]).row(1), [4]);
        assert_eq!(places.below(&[0, 1, 1]).row(2), [4, 1]);
    }
}
