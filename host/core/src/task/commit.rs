//! The commit of a task: what goes into the transaction, and what happens to the stores once it has
//! committed.

use super::{Task, metadata};
use crate::pass::effect::{Commit, Position};
use crate::pass::error::Error;
use crate::record::Batch;
use crate::store::{StoreId, Writes};
use crate::time::Timestamp;
use crate::topology::Changelog;

impl Task {
    /// Goes on after a commit: the next offset of an input, and the metadata that was committed
    /// with it (empty: none).
    pub fn resume(&mut self, topic: &str, offset: i64, metadata: &str) -> Result<(), Error> {
        let input = self.input(topic);
        let stream_time =
            metadata::decode(metadata, &mut self.states).ok_or_else(|| Error::Metadata {
                topic: topic.to_owned(),
                metadata: metadata.to_owned(),
            })?;
        self.group.resume(input, offset);
        self.committed[input] = Some(offset);
        self.group.resume_stream_time(Timestamp(stream_time));
        self.schedules.resume(self.group.stream_time().0);
        Ok(())
    }

    /// Whether a commit would have anything to do: rows read or stores written since the last.
    pub fn has_uncommitted(&self) -> bool {
        self.has_writes() || self.moved().next().is_some()
    }

    /// Whether stores were written since the last commit.
    pub fn has_writes(&self) -> bool {
        !self.overlay.is_clean()
    }

    fn moved(&self) -> impl Iterator<Item = (usize, i64)> {
        (0..self.inputs.len()).filter_map(|input| {
            let position = self.group.position(input)?;
            (self.committed[input] != Some(position)).then_some((input, position))
        })
    }

    /// Closes the transaction: positions and changelog rows that belong into it. Until
    /// [`Task::finish_commit`] nothing else may be asked of the task; asked again, it answers the
    /// same.
    pub fn prepare_commit(&mut self) -> Commit {
        let metadata = metadata::encode(self.group.stream_time().0, &self.states);
        let positions = self.moved().map(|(input, offset)| {
            let topic = self.inputs[input].clone();
            (
                Position {
                    topic,
                    partition: self.id.partition,
                    offset,
                },
                metadata.clone(),
            )
        });
        let positions = positions.collect();
        let topology = &self.topology;
        let logged = self.overlay.prepare().iter().filter(|(store, writes)| {
            matches!(topology.store(*store).changelog, Changelog::Own(_)) && !writes.rows.is_empty()
        });
        let changelog = logged
            .map(|(store, writes)| (*store, writes.rows.clone()))
            .collect::<Vec<(StoreId, Batch)>>();
        Commit {
            positions,
            changelog,
        }
    }

    /// The transaction has committed: the stores take the writes. `changelog_ends`: the next offset
    /// of the changelog of each store that had rows in [`Commit::changelog`]; tables take theirs
    /// from the positions. Answers with what they took.
    pub fn finish_commit(
        &mut self,
        changelog_ends: &[(StoreId, i64)],
    ) -> Result<Vec<(StoreId, Writes)>, Error> {
        let mut ends = changelog_ends.to_vec();
        let moved: Vec<(usize, i64)> = self.moved().collect();
        for &(input, position) in &moved {
            for store in self.tables_of(&self.inputs[input]) {
                ends.retain(|(other, _)| *other != store);
                ends.push((store, position));
            }
        }
        let written = self.overlay.finish(&ends)?;
        for (input, position) in moved {
            self.committed[input] = Some(position);
        }
        Ok(written)
    }

    fn tables_of(&self, topic: &str) -> Vec<StoreId> {
        let stores = &self.topology.subtopologies()[self.id.subtopology as usize].stores;
        let of_topic = |store: &&StoreId| {
            let changelog = &self.topology.store(**store).changelog;
            matches!(changelog, Changelog::Source(_)) && changelog.topic() == Some(topic)
        };
        stores.iter().filter(of_topic).copied().collect()
    }
}
