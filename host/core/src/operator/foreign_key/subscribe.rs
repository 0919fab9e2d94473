//! The left side of a foreign-key join: changes of the left table become subscriptions.
//!
//! Whatever the changes, and however late answers to former values come, a left row whose join has
//! a result gets an answer to its present value.

use crate::functions::FunctionId;
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::record::{Batch, Column};
use crate::store::StoreId;
use crate::topology::NodeId;
use crate::topology::description::JoinKind;

use super::super::Emitted;
use super::super::emitted::number;
use super::super::values::{changed, transformed};
use super::message::{Instruction, Subscriber, digest};

/// What the node does.
pub(in crate::operator) struct Subscribe {
    pub(in crate::operator) kind: JoinKind,
    pub(in crate::operator) foreign_key: FunctionId,
    /// The results of an inner join.
    pub(in crate::operator) results: Option<StoreId>,
}

/// An instruction, and the foreign key that it goes to.
type Told<'a> = (Instruction, Option<&'a [u8]>);

/// A left row's old and new foreign key, as a change goes from one to the other.
struct Move<'a> {
    old: Option<&'a [u8]>,
    new: Option<&'a [u8]>,
    /// Whether the join has a result.
    joined: bool,
}

/// Subscribes.
pub(in crate::operator) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    subscribe: &Subscribe,
    (rows, olds): (&Batch, Option<&Column>),
    places: &Places,
) -> Result<Emitted, Error> {
    let (asked, parents) = changed(rows, olds);
    let made = transformed(pass, node, subscribe.foreign_key, &asked, &parents, places)?;
    let place_of = |row: usize| places.row(row);
    let results = match subscribe.results {
        Some(store) => Some(pass.overlay.get_many_as_of(store, &rows.keys, place_of)?),
        None => None,
    };
    let mut emitted = Emitted::none();
    let mut question = 0;
    for row in 0..rows.len() {
        let begun = question;
        while parents.get(question) == Some(&number(row)) {
            question += 1;
        }
        if (begun..question).any(|question| made.failed(question)) {
            continue;
        }
        let deleted = rows.values.is_null(row);
        let old = begun + usize::from(!deleted);
        let keys = Move {
            old: (old < question).then(|| made.keys.get(old)).flatten(),
            new: (!deleted).then(|| made.keys.get(begun)).flatten(),
            joined: results
                .as_ref()
                .is_some_and(|results| !results.values.is_null(row)),
        };
        let is_delete_of_nothing = question == begun && !keys.joined;
        if is_delete_of_nothing {
            continue;
        }
        let subscriber = Subscriber {
            partition: pass.partition,
            digest: rows.values.get(row).map(digest),
        };
        let left_key = rows.keys.get(row).expect("a table's rows have keys");
        for (instruction, key) in keys.instructions(subscribe.kind).into_iter().flatten() {
            let value = instruction.subscription(&subscriber, left_key);
            emitted.push(rows, row, key, Some(&value), rows.timestamps[row]);
        }
    }
    Ok(emitted)
}

impl<'a> Move<'a> {
    /// What the right side is told, first at the old foreign key, then at the new one.
    fn instructions(&self, kind: JoinKind) -> [Option<Told<'a>>; 2] {
        let moved = self.old.is_some() && self.old != self.new;
        let at_new = |instruction| Some((instruction, self.new));
        if kind != JoinKind::Inner {
            let end = moved.then_some((Instruction::End, self.old));
            return [end, at_new(Instruction::Answer)];
        }
        if moved && self.new.is_some() {
            let end = Some((Instruction::End, self.old));
            return [end, at_new(Instruction::Answer)];
        }
        if self.old.is_some() && self.new.is_none() {
            return [Some((Instruction::EndAndAnswer, self.old)), None];
        }
        if self.joined {
            return [None, at_new(Instruction::Answer)];
        }
        [None, self.new.and(at_new(Instruction::AnswerIfThere))]
    }
}
