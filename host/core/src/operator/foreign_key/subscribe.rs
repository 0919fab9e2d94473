//! The left side of a foreign-key join: changes of the left table become subscriptions.

use crate::functions::FunctionId;
use crate::record::{Batch, Column};
use crate::task::error::Error;
use crate::task::flow::Places;
use crate::task::pass::Pass;
use crate::topology::NodeId;
use crate::topology::description::JoinKind;

use super::super::Emitted;
use super::super::emitted::number;
use super::super::values::transformed;
use super::message::{Instruction, Subscriber, digest};

/// A left row's old and new foreign key, as a change goes from one to the other.
struct Move<'a> {
    old: Option<&'a [u8]>,
    new: Option<&'a [u8]>,
    /// Whether the left row is deleted.
    deleted: bool,
}

/// Subscribes.
pub(in crate::operator) fn run(
    pass: &mut Pass<'_>,
    node: NodeId,
    (kind, foreign_key): (JoinKind, FunctionId),
    (rows, olds): (&Batch, Option<&Column>),
    places: &Places,
) -> Result<Emitted, Error> {
    let (mut asked, mut parents) = (Batch::default(), Vec::new());
    for row in 0..rows.len() {
        for value in [rows.values.get(row), olds.and_then(|olds| olds.get(row))] {
            if value.is_some() {
                asked.push(rows.keys.get(row), value, rows.timestamps[row]);
                parents.push(number(row));
            }
        }
    }
    let made = transformed(pass, node, foreign_key, &asked, &parents, places)?;
    let mut emitted = Emitted::none();
    let mut question = 0;
    for row in 0..rows.len() {
        let begun = question;
        while parents.get(question) == Some(&number(row)) {
            question += 1;
        }
        if question == begun || (begun..question).any(|question| made.failed(question)) {
            continue;
        }
        let deleted = rows.values.is_null(row);
        let old = begun + usize::from(!deleted);
        let keys = Move {
            old: (old < question).then(|| made.keys.get(old)).flatten(),
            new: (!deleted).then(|| made.keys.get(begun)).flatten(),
            deleted,
        };
        let subscriber = Subscriber {
            partition: pass.partition,
            digest: rows.values.get(row).map(digest),
        };
        let left_key = rows.keys.get(row).expect("a table's rows have keys");
        for (instruction, key) in keys.instructions(kind).into_iter().flatten() {
            let value = instruction.subscription(&subscriber, left_key);
            emitted.push(rows, row, key, Some(&value), rows.timestamps[row]);
        }
    }
    Ok(emitted)
}

impl<'a> Move<'a> {
    /// What the right side is told, first at the old foreign key, then at the new one.
    fn instructions(&self, kind: JoinKind) -> [Option<(Instruction, Option<&'a [u8]>)>; 2] {
        let moved = self.old.is_some() && self.old != self.new;
        let at_new = |instruction| Some((instruction, self.new));
        if kind != JoinKind::Inner {
            let end = moved.then_some((Instruction::End, self.old));
            return [end, at_new(Instruction::Answer)];
        }
        if self.deleted || self.new.is_none() {
            let end = (Instruction::EndAndAnswer, self.old);
            return [self.old.is_some().then_some(end), None];
        }
        if moved {
            let end = Some((Instruction::End, self.old));
            return [end, at_new(Instruction::Answer)];
        }
        [None, at_new(Instruction::AnswerIfThere)]
    }
}
