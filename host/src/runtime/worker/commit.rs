//! A worker's transaction: what belongs into it, when it is time to end it, and what happens then.
//!
//! One transaction holds the outputs, changelog rows and positions of all tasks of the worker.
//! Stores take their writes only after it has committed, and responses leave only after the stores
//! have taken them. An abort takes every task that was part of it back to what is committed, and
//! decides its requests again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use weir_core::record::Batch;
use weir_core::store::StoreId;
use weir_core::task::{Position, Task, TaskId};

use crate::config::OnFailure;
use crate::kafka::{Committed, Ends, Partition, Partitioning};
use crate::runtime::clock;
use crate::runtime::letter::Reply;

use super::dead_letter;
use super::fault::Fault;
use super::session::Session;
use super::tasks::Owned;

impl Session<'_> {
    /// Whether it is time to commit; `drained`: there is nothing else to do.
    pub(super) fn commit_is_due(&self, drained: bool) -> bool {
        let transaction = &self.transaction;
        if transaction.positions_are_due() && !self.tasks.is_empty() {
            return true;
        }
        transaction.is_due(drained || self.holds_much())
    }

    /// Whether so much is in memory until the transaction ends that it ends now.
    fn holds_much(&self) -> bool {
        let writes = transaction_tasks(self).map(Task::uncommitted_bytes);
        let bytes = writes.sum::<usize>() + self.producer.kept_bytes();
        bytes > self.limits.max_uncommitted_bytes
    }

    /// Carries out what the last call of a task wanted done, inside the transaction.
    pub(super) fn carry_out(&mut self) -> Result<(), Fault> {
        if self.effects.produce.is_empty() && self.effects.dead_letters.is_empty() {
            return Ok(());
        }
        self.transaction.begin();
        self.producer.begin()?;
        for produce in self.effects.produce.drain(..) {
            let produced = &self.worker.shared.meters.produced;
            produced.increment(produce.rows.len() as u64);
            let partitions = Partitioning::Each(&produce.partitions);
            self.producer
                .produce(&produce.topic, produce.rows, partitions)?;
        }
        let letters = std::mem::take(&mut self.effects.dead_letters);
        let Some(first) = letters.first() else {
            return Ok(());
        };
        let (shared, site) = (&self.worker.shared, &self.worker.site);
        shared.meters.failed.increment(letters.len() as u64);
        let (service, node, reason) = (&shared.name, &first.node, &first.reason);
        let position = first.position.as_ref().map_or("no row".to_owned(), shown);
        tracing::warn!(
            service,
            node,
            position,
            reason,
            rows = letters.len(),
            "rows failed"
        );
        match self.blueprint.settings.on_failure {
            OnFailure::Skip => Ok(()),
            OnFailure::Stop => {
                let mend = "mend it and deploy the service again, or set another on_failure";
                Err(Fault::Fail(format!(
                    "stopped in front of {position}: node `{node}`: {reason}; {mend}"
                )))
            }
            OnFailure::DeadLetter => {
                let version = self.blueprint.program.digest();
                let facts = &site.dead_letters;
                let (rows, partitions) =
                    dead_letter::rows(&letters, service, &version, facts, clock::now().0);
                let topic = format!("{service}.dead-letters");
                self.producer
                    .produce(&topic, rows, Partitioning::Each(&partitions))?;
                Ok(())
            }
        }
    }

    /// Ends the transaction, whether or not it can be committed.
    pub(super) fn commit_or_abort(&mut self) -> Result<(), Fault> {
        match self.commit() {
            Err(Fault::Abort(reason)) => self.abort(&reason),
            done => done,
        }
    }

    /// Commits the transaction, if there is anything in it.
    pub(super) fn commit(&mut self) -> Result<(), Fault> {
        let all = self.transaction.positions_are_due();
        if self.transaction.is_clean() && !all {
            return Ok(());
        }
        let began = Instant::now();
        let mut positions = Vec::new();
        let mut commits = Vec::new();
        for id in self.transaction.dirty.clone() {
            let Some(Owned::Running(running)) = self.tasks.get_mut(&id) else {
                continue;
            };
            let mut commit = running.task.prepare_commit();
            positions.append(&mut commit.positions);
            commits.push((id, self.produce_changelogs(id, commit.changelog)?));
        }
        let moved = positions.len();
        if all {
            self.add_all_positions(&mut positions);
        }
        let mut ends = Ends::default();
        if self.producer.is_open() || !positions.is_empty() {
            self.producer.begin()?;
            let group = self.membership.group_metadata();
            let group =
                group.ok_or_else(|| Fault::Restart("not a member of the group yet".to_owned()))?;
            ends = self.producer.commit(&positions, &group)?;
        }
        positions.truncate(moved);
        self.remember(positions);
        for (id, stores) in commits {
            self.finish(id, &stores, &ends)?;
        }
        for (asked, response) in self.transaction.decided.drain(..) {
            let _gone = asked.reply.send(Reply::Response(response));
        }
        if all {
            self.transaction.positions = Instant::now();
            self.transaction.owes_positions = false;
        }
        let took = began.elapsed();
        self.transaction.end(took);
        let meters = &self.worker.shared.meters;
        meters.commits.increment(1);
        meters.commit_seconds.record(took.as_secs_f64());
        let (service, worker) = (&self.worker.shared.name, self.worker.number);
        tracing::trace!(service, worker, moved, ?took, "committed");
        Ok(())
    }

    /// Returns the stores whose changelogs have new rows.
    fn produce_changelogs(
        &mut self,
        id: TaskId,
        changelog: Vec<(StoreId, Batch)>,
    ) -> Result<Vec<StoreId>, Fault> {
        let mut stores = Vec::with_capacity(changelog.len());
        for (store, rows) in changelog {
            let spec = self.blueprint.topology.store(store);
            let Some(topic) = spec.changelog.topic() else {
                continue;
            };
            if let Some(limit) = self.worker.site.internal_bytes.get(topic) {
                check_sizes(&spec.name, topic, &rows, *limit)?;
            }
            self.producer.begin()?;
            self.producer
                .produce(topic, rows, Partitioning::One(id.partition))?;
            stores.push(store);
        }
        Ok(stores)
    }

    /// Adds the positions of all tasks that have not moved.
    fn add_all_positions(&self, positions: &mut Vec<(Position, String)>) {
        let there: HashSet<(String, u32)> = positions
            .iter()
            .map(|(position, _)| (position.topic.clone(), position.partition))
            .collect();
        for (id, owned) in &self.tasks {
            let Owned::Running(running) = owned else {
                continue;
            };
            for (topic, committed) in &running.positions {
                if !there.contains(&(topic.clone(), id.partition)) {
                    let partition = Partition::new(topic.as_str(), id.partition);
                    positions.push((partition.at(committed.offset), committed.metadata.clone()));
                }
            }
        }
    }

    fn remember(&mut self, positions: Vec<(Position, String)>) {
        for (
            Position {
                topic,
                partition,
                offset,
            },
            metadata,
        ) in positions
        {
            let Some(&subtopology) = self.homes.get(&topic) else {
                continue;
            };
            if let Some(Owned::Running(running)) = self.tasks.get_mut(&TaskId {
                subtopology,
                partition,
            }) {
                running
                    .positions
                    .insert(topic, Committed { offset, metadata });
            }
        }
    }

    /// The transaction has committed: a task's stores take its writes, and whoever watches them is
    /// woken.
    fn finish(&mut self, id: TaskId, stores: &[StoreId], ends: &Ends) -> Result<(), Fault> {
        let topology = &self.blueprint.topology;
        let Some(Owned::Running(running)) = self.tasks.get_mut(&id) else {
            return Ok(());
        };
        let mut changelog_ends = Vec::with_capacity(stores.len());
        for store in stores {
            let topic = topology.store(*store).changelog.topic().unwrap_or_default();
            let end = ends.of(&Partition::new(topic, id.partition));
            let end = end
                .ok_or_else(|| Fault::Restart(format!("no offset of {topic} after its commit")))?;
            changelog_ends.push((*store, end));
        }
        let taken = running.task.finish_commit(&changelog_ends)?;
        running.handled = 0;
        let shared = &self.worker.shared;
        let keys = taken.iter().flat_map(|(store, writes)| {
            let keys = writes.rows.keys.iter().flatten();
            keys.map(|key| (*store, key))
        });
        shared.watches.changed(id.partition, keys);
        for (node, reason, count) in running.task.dropped().iter() {
            let told = running
                .dropped
                .entry((node.0, reason.to_string()))
                .or_default();
            if count > *told {
                shared.meters.dropped(
                    &topology.node(node).name,
                    &reason.to_string(),
                    count - *told,
                );
                *told = count;
            }
        }
        Ok(())
    }

    /// Ends the transaction with nothing: its tasks go back to what is committed, its requests back
    /// to the queue.
    pub(super) fn abort(&mut self, reason: &str) -> Result<(), Fault> {
        let (service, worker) = (&self.worker.shared.name, self.worker.number);
        tracing::info!(service, worker, reason, "transaction aborted");
        self.worker.shared.meters.aborts.increment(1);
        for (asked, _) in self.transaction.decided.drain(..).rev() {
            self.queue.push_front(asked);
        }
        self.effects = weir_core::task::Effects::default();
        self.guest.reset();
        self.producer
            .abort()
            .map_err(|error| Fault::Restart(error.to_string()))?;
        let dirty = std::mem::take(&mut self.transaction.dirty);
        for id in dirty {
            self.rebuild(id)?;
        }
        self.transaction.end(Duration::ZERO);
        Ok(())
    }
}

fn transaction_tasks<'s>(session: &'s Session<'_>) -> impl Iterator<Item = &'s Task> {
    session
        .transaction
        .dirty
        .iter()
        .filter_map(|id| match session.tasks.get(id) {
            Some(Owned::Running(running)) => Some(&running.task),
            _ => None,
        })
}

/// A changelog row that the broker refuses would make every transaction fail.
fn check_sizes(store: &str, topic: &str, rows: &Batch, limit: u32) -> Result<(), Fault> {
    let limit = limit as usize;
    if rows.keys.bytes().len() + rows.values.bytes().len() + 128 <= limit {
        return Ok(());
    }
    for row in 0..rows.len() {
        let of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let bytes = of(rows.keys.get(row)) + of(rows.values.get(row)) + 128;
        if bytes > limit {
            let key = rows.keys.get(row).unwrap_or_default();
            let key: String = key.escape_ascii().to_string().chars().take(100).collect();
            return Err(Fault::Fail(format!(
                "store `{store}`: the entry of key `{key}` has {bytes} bytes, \
                 but its changelog `{topic}` takes {limit} \
                 (max.message.bytes); raise that, or keep lists in stores of a row an entry"
            )));
        }
    }
    Ok(())
}

fn shown(position: &Position) -> String {
    format!(
        "{}/{}@{}",
        position.topic, position.partition, position.offset
    )
}
