//! Folds: a program of numbered states, run over the author's aggregator.
//!
//! A state that a later step starts from is still there as the author's value; only what is handed
//! in, or wanted twice, is read from its bytes.

use crate::bindings::weir::service::records::{Batch, Column, Folded, Rejection, Steps};
use crate::columns::{BatchRows, Rows};
use crate::format::{self, Data};
use crate::function::{Fold, Reject};

const ADD: u8 = 0;
const SUBTRACT: u8 = 1;
const MERGE: u8 = 2;
const NO_STATE: u32 = u32::MAX;

/// Adds a row's value, still bytes, to a state.
pub(crate) type Adder<A> = Box<dyn Fn(&mut A, Option<&[u8]>) -> Result<(), Reject>>;

/// The adder of an author's closure.
pub(crate) fn adder<V: Data, A: 'static>(add: impl Fn(&mut A, &V) + 'static) -> Adder<A> {
    Box::new(move |state, value| {
        add(state, &format::decode_value(value)?);
        Ok(())
    })
}

/// A fold of an initial state and an adder for each input.
pub(crate) fn aggregator<A: Data>(
    initial: impl Fn() -> A + 'static,
    adders: Vec<Adder<A>>,
) -> Box<Fold> {
    Box::new(move |input, steps, states| {
        let add = |state, from, value: Option<&[u8]>| add_to(&adders, &initial, state, from, value);
        run(input, steps, states, (add, None), None)
    })
}

/// A fold of a grouped table: values enter states and leave them again.
pub(crate) fn table_aggregator<V: Data, A: Data>(
    initial: impl Fn() -> A + 'static,
    add: impl Fn(&mut A, &V) + 'static,
    subtract: impl Fn(&mut A, &V) + 'static,
) -> Box<Fold> {
    Box::new(move |input, steps, states| {
        let add = |state: Option<A>, _, value: Option<&[u8]>| {
            let mut state = state.unwrap_or_else(&initial);
            add(&mut state, &format::decode_value(value)?);
            Ok(state)
        };
        let subtract = |mut state, value: Option<&[u8]>| {
            subtract(&mut state, &format::decode_value(value)?);
            Ok(state)
        };
        run(input, steps, states, (add, Some(&subtract)), None)
    })
}

/// A fold of a grouped table's values alone.
pub(crate) fn table_reducer<V: Data>(
    add: impl Fn(V, &V) -> V + 'static,
    subtract: impl Fn(V, &V) -> V + 'static,
) -> Box<Fold> {
    Box::new(move |input, steps, states| {
        let add = |state, _, value: Option<&[u8]>| {
            let value = format::decode_value(value)?;
            Ok(match state {
                None => value,
                Some(state) => add(state, &value),
            })
        };
        let subtract = |state, value: Option<&[u8]>| -> Result<V, Reject> {
            Ok(subtract(state, &format::decode_value(value)?))
        };
        run(input, steps, states, (add, Some(&subtract)), None)
    })
}

/// A fold whose states may be merged.
pub(crate) fn sessions<A: Data>(
    initial: impl Fn() -> A + 'static,
    adders: Vec<Adder<A>>,
    merge: impl Fn(A, A) -> A + 'static,
) -> Box<Fold> {
    Box::new(move |input, steps, states| {
        let add = |state, from, value: Option<&[u8]>| add_to(&adders, &initial, state, from, value);
        let merge = |left: Option<A>, right| merge(left.unwrap_or_else(&initial), right);
        run(input, steps, states, (add, None), Some(&merge))
    })
}

/// A fold of values alone, which also merges them.
pub(crate) fn reducer<V: Data>(reduce: impl Fn(V, &V) -> V + 'static) -> Box<Fold> {
    Box::new(move |input, steps, states| {
        let reduced = |state, later| match state {
            None => later,
            Some(state) => reduce(state, &later),
        };
        let add = |state, _, value: Option<&[u8]>| Ok(reduced(state, format::decode_value(value)?));
        run(input, steps, states, (add, None), Some(&reduced))
    })
}

fn add_to<A>(
    adders: &[Adder<A>],
    initial: &impl Fn() -> A,
    state: Option<A>,
    from: u32,
    value: Option<&[u8]>,
) -> Result<A, Reject> {
    let adder = adders.get(from as usize);
    let adder = adder.ok_or_else(|| Reject(format!("no input {from} in this aggregate")))?;
    let mut state = state.unwrap_or_else(initial);
    adder(&mut state, value)?;
    Ok(state)
}

/// The states so far: as values where they are still at hand, and as bytes.
struct States<'a, A> {
    given: Rows<'a>,
    /// One a state, those handed in first; `None` once it was taken.
    values: Vec<Option<A>>,
    made: Column,
}

impl<A: Data> States<'_, A> {
    /// Takes the value of a state, or reads it if somebody took it before; `None`: there is none
    /// yet.
    fn take(&mut self, number: u32) -> Result<Option<A>, Reject> {
        if number == NO_STATE {
            return Ok(None);
        }
        let number = number as usize;
        if let Some(value) = self.values[number].take() {
            return Ok(Some(value));
        }
        let state = |error: format::Error| Reject(error.within("a stored aggregate").to_string());
        match number.checked_sub(self.given.len()) {
            None => match self.given.get(number) {
                None => Ok(None),
                bytes => format::decode_value(bytes).map(Some).map_err(state),
            },
            Some(made) => format::decode_value(Rows::of(&self.made).get(made))
                .map(Some)
                .map_err(state),
        }
    }
}

type Subtract<'s, A> = &'s dyn Fn(A, Option<&[u8]>) -> Result<A, Reject>;
type Merge<'m, A> = &'m dyn Fn(Option<A>, A) -> A;

fn run<A: Data>(
    input: &Batch,
    steps: &Steps,
    states: &Column,
    (add, subtract): (
        impl Fn(Option<A>, u32, Option<&[u8]>) -> Result<A, Reject>,
        Option<Subtract<'_, A>>,
    ),
    merge: Option<Merge<'_, A>>,
) -> Folded {
    let rows = BatchRows::of(input);
    let given = Rows::of(states);
    let mut states = States {
        values: (0..given.len()).map(|_| None).collect(),
        given,
        made: Column::with_room(steps.kinds.len(), states.bytes.len()),
    };
    for (step, &kind) in steps.kinds.iter().enumerate() {
        let row = steps.rows[step];
        let made = (|| {
            let left = states.take(steps.left[step])?;
            let value = rows.get(row as usize).value;
            match (kind, subtract, merge) {
                (ADD, ..) => add(left, steps.right[step], value),
                (SUBTRACT, Some(subtract), _) => match left {
                    Some(left) => subtract(left, value),
                    None => Err(Reject("nothing to subtract from".to_owned())),
                },
                (MERGE, _, Some(merge)) => match states.take(steps.right[step])? {
                    Some(right) => Ok(merge(left, right)),
                    None => Err(Reject("a session without a state".to_owned())),
                },
                (other, ..) => Err(Reject(format!("no step {other} in this aggregate"))),
            }
        })();
        let written = made.and_then(|state| {
            let column = &mut states.made;
            column.push_with(|out| format::encode_value(&state, out))?;
            Ok(state)
        });
        match written {
            Ok(state) if states.made.lengths.last() != Some(&-1) => states.values.push(Some(state)),
            Ok(_) => break,
            Err(Reject(reason)) => {
                return Folded {
                    states: states.made,
                    rejected: Some(Rejection { row, reason }),
                };
            }
        }
    }
    Folded {
        states: states.made,
        rejected: None,
    }
}
