//! The right side of a foreign-key join: subscriptions are kept beside the right table, and
//! answered.
//!
//! A subscription is answered with the right row as it is, and the higher timestamp of both rows; a
//! change of a right row answers all who subscribed to it, in the order of left keys, with its own.

use std::ops::{Bound, ControlFlow};

use crate::codec::push_escaped;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::{Inputs, Places};
use crate::pass::trouble::{Trouble, malformed};
use crate::record::{Batch, Column};
use crate::store::{KeyRange, StoreId};
use crate::topology::{NodeId, View};

use super::super::Emitted;
use super::super::emitted::number;
use super::super::views::{Found, read};
use super::message::{Instruction, Subscriber};

/// Input 0; the right table is input 1.
const SUBSCRIPTIONS: u8 = 0;

/// Keeps and answers.
pub(in crate::operator) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    (store, right): (StoreId, &View),
    (rows, inputs): (&Batch, &Inputs),
    places: &Places,
) -> Result<Emitted, Error> {
    let asking: Vec<u32> = (0..number(rows.len()))
        .filter(|&row| inputs.of(row as usize) == SUBSCRIPTIONS)
        .collect();
    let keys: Column = rows.keys.select(&asking);
    let found = read(pass, node, right, &keys, &places.select(&asking))?;
    let mut emitted = Emitted::none();
    let mut asked = 0;
    let place_of = |row: usize| places.row(row);
    for row in 0..rows.len() {
        if inputs.of(row) == SUBSCRIPTIONS {
            asked += 1;
            if found.failed(asked - 1) {
                continue;
            }
            pass.halving(node, row..row + 1, &place_of, &mut |pass, _| {
                let answers = (&found, asked - 1);
                subscribed(pass, store, (rows, row), answers, places, &mut emitted)
            })?;
        } else {
            changed(pass, store, (rows, row), &mut emitted)?;
        }
    }
    Ok(emitted)
}

fn subscribed(
    pass: &mut Pass<'_>,
    store: StoreId,
    (rows, row): (&Batch, usize),
    (found, asked): (&Found, usize),
    places: &Places,
    emitted: &mut Emitted,
) -> Result<(), Trouble> {
    let value = rows.values.get(row).and_then(Instruction::take);
    let Some((instruction, subscriber, left_key)) = value else {
        return Err(malformed("a row of the subscriptions' topic is none"));
    };
    let timestamp = rows.timestamps[row];
    if let Some(key) = rows.keys.get(row) {
        let keeps = matches!(
            instruction,
            Instruction::Answer | Instruction::AnswerIfThere
        );
        let kept = keeps.then(|| subscriber.encode());
        let (place, entry) = (places.row(row), [&prefix(key), left_key].concat());
        pass.overlay
            .put(store, place, &entry, kept.as_deref(), timestamp);
    }
    let right = found.get(asked);
    let answer = match instruction {
        Instruction::End => return Ok(()),
        Instruction::AnswerIfThere if right.is_none() => return Ok(()),
        Instruction::EndAndAnswer => subscriber.answer(None),
        _ => subscriber.answer(right.map(|(value, _)| value)),
    };
    let timestamp = right.map_or(timestamp, |(_, right)| right.max(timestamp));
    emitted.push(rows, row, Some(left_key), Some(&answer), timestamp);
    Ok(())
}

fn changed(
    pass: &mut Pass<'_>,
    store: StoreId,
    (rows, row): (&Batch, usize),
    emitted: &mut Emitted,
) -> Result<(), Error> {
    let start = prefix(rows.keys.get(row).expect("a table's rows have keys"));
    let end = after(&start);
    let range = KeyRange {
        start: Bound::Included(&start),
        end: Bound::Excluded(&end),
        reverse: false,
    };
    let right = rows.values.get(row);
    let mut corrupted = false;
    pass.overlay.range(store, range, &mut |key, value, _| {
        let Some((subscriber, _)) = Subscriber::take(value) else {
            corrupted = true;
            return ControlFlow::Break(());
        };
        let (left_key, answer) = (&key[start.len()..], subscriber.answer(right));
        emitted.push(
            rows,
            row,
            Some(left_key),
            Some(&answer),
            rows.timestamps[row],
        );
        ControlFlow::Continue(())
    })?;
    if corrupted {
        let reason = "an entry is no subscription; wipe the store and restore it".to_owned();
        let store = pass.topology.store(store).name.clone();
        return Err(crate::store::Error { store, reason }.into());
    }
    Ok(())
}

/// The beginning of the entries of those who subscribed to a key.
fn prefix(key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 2);
    push_escaped(&mut bytes, key);
    bytes
}

/// After all entries that begin so: the escaped key's end is two zeros.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    *end.last_mut().expect("an escaped key has an end") = 1;
    end
}
