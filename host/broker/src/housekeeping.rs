//! What happens without being asked for: sessions and transactions end, logs expire and shrink.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Error;
use crate::log::compaction::{Change, Source, Trouble};
use crate::log::head::Head;
use crate::state::shared::{clock, moment};
use crate::state::{Effects, Shared, State, Stopped, delete_batch, store_batch};
use crate::storage::{Table, layout};

/// How often what is forgotten after days is looked at.
const SLOW: Duration = Duration::from_secs(60);
/// Retention is looked at as often as its length asks for, between these.
const SWEEP_MS: std::ops::RangeInclusive<i64> = 1_000..=300_000;

/// Runs until the broker ends.
pub(crate) async fn run(shared: std::sync::Arc<Shared>) {
    let mut end = shared.end.subscribe();
    let mut tick = tokio::time::interval(shared.settings.tick);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut compacted, mut slow) = (Instant::now(), Instant::now());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = end.wait_for(|ended| *ended) => return,
        }
        if quick(&shared).is_err() {
            return;
        }
        if compacted.elapsed() >= shared.settings.compaction_interval {
            let worker = shared.clone();
            let done = tokio::task::spawn_blocking(move || clean(&worker)).await;
            if !matches!(done, Ok(Ok(()))) {
                return;
            }
            compacted = Instant::now();
        }
        if slow.elapsed() >= SLOW {
            if forget(&shared).is_err() {
                return;
            }
            slow = Instant::now();
        }
    }
}

/// Sessions, rebalances, transactions.
fn quick(shared: &Shared) -> Result<(), Stopped> {
    shared.change(|state, effects| {
        let now = moment();
        for (id, group) in &mut state.groups {
            group.tick(now, &mut effects.answers);
            if let Some(saved) = group.take_saved() {
                effects
                    .changes
                    .put(Table::Records, layout::group_key(id), saved);
            }
        }
        let now = clock();
        for ending in state.coordinator.expel_late(now) {
            tracing::info!(
                id = ending.id,
                "a transaction is past its time and is aborted"
            );
            state.finish(ending, now, effects);
        }
    })
}

/// Retention, then compaction.
fn clean(shared: &Shared) -> Result<(), Stopped> {
    shared.change(|state, effects| sweep(state, effects, clock()))?;
    let compacted: Vec<(String, usize)> = shared.look(|state| {
        let topics = state.topics.iter();
        let topics = topics.filter(|(_, topic)| topic.config.rules().is_compacted);
        topics
            .map(|(name, topic)| (name.clone(), topic.partitions.len()))
            .collect()
    });
    for (topic, partitions) in compacted {
        for partition in 0..partitions {
            compact(shared, &topic, partition)?;
        }
    }
    Ok(())
}

fn sweep(state: &mut State, effects: &mut Effects, now: i64) {
    let mut expired = Vec::new();
    for (name, topic) in &mut state.topics {
        let rules = *topic.config.rules();
        let pause = match rules.retention_ms {
            ms if ms >= 0 => ms.clamp(*SWEEP_MS.start(), *SWEEP_MS.end()),
            _ => *SWEEP_MS.start(),
        };
        if !rules.expires || now - topic.swept < pause {
            continue;
        }
        topic.swept = now;
        for (index, place) in (0..).zip(&topic.partitions) {
            let to = place
                .log
                .expired(rules.retention_ms, rules.retention_bytes, now);
            expired.extend(to.map(|to| (name.clone(), index, to)));
        }
    }
    for (topic, partition, to) in expired {
        state.truncate(&topic, partition, to, effects);
    }
}

/// Compacts one partition, if it is due. The lock is held for headers alone.
fn compact(shared: &Shared, topic: &str, partition: usize) -> Result<(), Stopped> {
    let now = clock();
    let planned = shared.look(|state| {
        let found = state.topics.get(topic)?;
        let plan = state
            .log(topic, partition)?
            .plan(&found.config.rules().compaction, now)?;
        Some((found.id, plan))
    });
    let Some((id, plan)) = planned else {
        return Ok(());
    };
    let index = i32::try_from(partition).expect("partitions are limited");
    let upto = plan.upto();
    let source = Stored {
        shared,
        topic,
        id,
        partition,
        index,
    };
    match plan.work(&source) {
        Ok(changes) => shared.change(|state, effects| {
            apply(state, (topic, id, index), upto, changes, effects);
        }),
        Err(Trouble::Unread(error)) => Err(shared.fail(error)),
        Err(Trouble::Corrupt(code)) => {
            tracing::warn!(topic, partition, %code, "a log cannot be compacted");
            Ok(())
        }
    }
}

/// A log as its compaction sees it, without holding the lock.
struct Stored<'a> {
    shared: &'a Shared,
    topic: &'a str,
    id: Uuid,
    partition: usize,
    index: i32,
}

impl Source for Stored<'_> {
    type Error = Error;

    fn read(&self, base: i64) -> Result<Option<Bytes>, Error> {
        let key = layout::batch_key(&[], self.id, self.index, base);
        self.shared.store.get(Table::Batches, &key)
    }

    fn is_aborted(&self, head: &Head) -> bool {
        self.shared.look(|state| {
            let log = state.log(self.topic, self.partition);
            log.is_some_and(|log| log.is_aborted(head))
        })
    }
}

fn apply(
    state: &mut State,
    (topic, id, index): (&str, Uuid, i32),
    upto: i64,
    changes: Vec<Change>,
    effects: &mut Effects,
) {
    let is_durable = effects.is_durable;
    let place = usize::try_from(index).expect("it was one");
    let still = state.topics.get_mut(topic).filter(|topic| topic.id == id);
    let Some(log) = still
        .and_then(|topic| topic.partitions.get_mut(place))
        .map(|it| &mut it.log)
    else {
        return;
    };
    let made = log.apply(upto, changes, |batch| {
        if is_durable {
            crate::log::Kept::Stored(std::sync::Weak::new())
        } else {
            crate::log::Kept::Here(batch.clone())
        }
    });
    if !is_durable {
        return;
    }
    for change in made {
        match change {
            Change::Drop { base } => delete_batch(&mut effects.changes, id, index, base),
            Change::Rewrite { batch, .. } => {
                if let Ok(head) = Head::parse(&batch) {
                    store_batch(&mut effects.changes, id, index, &batch, &head);
                }
            }
        }
    }
}

/// What nobody has used for days.
fn forget(shared: &Shared) -> Result<(), Stopped> {
    let settings = &shared.settings;
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    shared.forget_gone();
    shared.change(|state, effects| {
        let now = clock();
        let before = now.saturating_sub(ms(settings.offsets_retention));
        for (id, group) in &mut state.groups {
            let read = group.topics();
            for partition in group.offsets.expire(before, &read) {
                effects
                    .changes
                    .delete(Table::Records, layout::offset_key(id, &partition));
            }
        }
        state.groups.retain(|id, group| {
            let is_idle = group.is_idle();
            if is_idle {
                effects
                    .changes
                    .delete(Table::Records, layout::group_key(id));
            }
            !is_idle
        });
        let before = now.saturating_sub(ms(settings.transactional_id_expiration));
        for id in state.coordinator.expire(before) {
            effects
                .changes
                .delete(Table::Records, layout::transaction_key(&id));
        }
        let before = now.saturating_sub(ms(settings.producer_expiration));
        for topic in state.topics.values_mut() {
            for place in &mut topic.partitions {
                place.watchers.prune();
                place.log.expire_producers(before);
            }
        }
    })
}
