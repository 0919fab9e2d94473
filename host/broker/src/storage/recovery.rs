//! Finding everything again when a broker starts.
//!
//! Only headers of batches are read, so a start costs the number of batches and not their bytes.

use std::collections::HashMap;
use std::sync::Weak;

use bytes::Buf;
use uuid::Uuid;

use super::layout;
use super::{Changes, Store, Table};
use crate::error::Error;
use crate::log::head::Head;
use crate::log::{Kept, Log};
use crate::state::State;
use crate::state::shared::moment;
use crate::txn;

/// The state that `store` holds; a new one if it holds none.
pub(crate) fn recover(store: &dyn Store, now: i64) -> Result<State, Error> {
    let mut state = State::new(cluster(store)?);
    if !store.is_durable() {
        return Ok(state);
    }
    topics(store, &mut state, now)?;
    let names: HashMap<Uuid, String> = state
        .topics
        .iter()
        .map(|(name, topic)| (topic.id, name.clone()))
        .collect();
    starts(store, &mut state, &names)?;
    batches(store, &mut state, &names, now)?;
    offsets(store, &mut state)?;
    groups(store, &mut state)?;
    transactions(store, &mut state)?;
    if let Some(value) = store.get(Table::Records, layout::PRODUCER_KEY)? {
        let last = value
            .as_ref()
            .try_get_i64()
            .map_err(|_| unreadable("the producer ids"))?;
        state.coordinator.resume_after(last);
    }
    Ok(state)
}

/// Checks the version of the layout, and names the cluster if it is new.
fn cluster(store: &dyn Store) -> Result<Uuid, Error> {
    let version = store.get(Table::Records, layout::VERSION_KEY)?;
    if let Some(version) = version
        && version.as_ref() != layout::VERSION.to_be_bytes()
    {
        return Err(unreadable("the version of the layout"));
    }
    if let Some(id) = store.get(Table::Records, layout::CLUSTER_KEY)? {
        return Uuid::from_slice(&id).map_err(|_| unreadable("the id of the cluster"));
    }
    let id = Uuid::new_v4();
    let mut changes = Changes::default();
    let version = layout::VERSION.to_be_bytes().to_vec();
    changes.put(Table::Records, layout::VERSION_KEY.to_vec(), version);
    changes.put(
        Table::Records,
        layout::CLUSTER_KEY.to_vec(),
        id.as_bytes().to_vec(),
    );
    store.write(&changes)?;
    Ok(id)
}

fn topics(store: &dyn Store, state: &mut State, now: i64) -> Result<(), Error> {
    store.scan(Table::Records, layout::TOPICS, &mut |key, value| {
        let name = String::from_utf8_lossy(&key[layout::TOPICS.len()..]).into_owned();
        let mut topic = layout::topic(value).map_err(|_| unreadable(&format!("topic `{name}`")))?;
        topic.swept = now;
        state.topics.insert(name, topic);
        Ok(())
    })
}

/// Topic id, partition and what follows in a key.
fn place<'a>(key: &'a [u8], kind: &[u8]) -> Option<(Uuid, usize, &'a [u8])> {
    let mut rest = key.get(kind.len()..)?;
    let id = Uuid::from_slice(rest.get(..16)?).ok()?;
    rest.advance(16);
    let partition = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    Some((id, partition, rest))
}

fn find<'a>(
    state: &'a mut State,
    names: &HashMap<Uuid, String>,
    (id, partition): (Uuid, usize),
) -> Option<(&'a mut Log, crate::topic::config::Rules)> {
    let topic = state.topics.get_mut(names.get(&id)?)?;
    let rules = *topic.config.rules();
    Some((&mut topic.partitions.get_mut(partition)?.log, rules))
}

fn starts(
    store: &dyn Store,
    state: &mut State,
    names: &HashMap<Uuid, String>,
) -> Result<(), Error> {
    store.scan(Table::Records, layout::STARTS, &mut |key, mut value| {
        let bad = || unreadable("the start of a partition");
        let (id, partition, _) = place(key, layout::STARTS).ok_or_else(bad)?;
        if let Some((log, _)) = find(state, names, (id, partition)) {
            *log = Log::starting_at(value.try_get_i64().map_err(|_| bad())?);
        }
        Ok(())
    })
}

fn batches(
    store: &dyn Store,
    state: &mut State,
    names: &HashMap<Uuid, String>,
    now: i64,
) -> Result<(), Error> {
    store.scan(Table::Records, layout::HEADS, &mut |key, value| {
        let bad = || unreadable("the header of a batch");
        let (id, partition, _) = place(key, layout::HEADS).ok_or_else(bad)?;
        let Some((log, rules)) = find(state, names, (id, partition)) else {
            return Ok(());
        };
        let head = Head::read(value).map_err(|_| bad())?;
        log.append(&head, Kept::Stored(Weak::new()), rules.rolling, now);
        if head.is_control() {
            let committed = *value.last().ok_or_else(bad)? == 1;
            log.end_transaction(head.producer, committed, head.base);
        }
        Ok(())
    })
}

fn offsets(store: &dyn Store, state: &mut State) -> Result<(), Error> {
    store.scan(Table::Records, layout::OFFSETS, &mut |key, mut value| {
        let bad = |_| unreadable("a committed offset");
        let mut key = &key[layout::OFFSETS.len()..];
        let group = layout::text(&mut key).map_err(bad)?;
        let partition = layout::partition(&mut key).map_err(bad)?;
        let committed = layout::committed(&mut value).map_err(bad)?;
        state
            .groups
            .entry(group)
            .or_default()
            .offsets
            .commit(partition, committed);
        Ok(())
    })
}

fn groups(store: &dyn Store, state: &mut State) -> Result<(), Error> {
    store.scan(Table::Records, layout::GROUPS, &mut |key, value| {
        let id = String::from_utf8_lossy(&key[layout::GROUPS.len()..]).into_owned();
        let bad = |_| unreadable(&format!("group `{id}`"));
        let group = state.groups.entry(id.clone()).or_default();
        group.restore(value, moment()).map_err(bad)
    })
}

fn transactions(store: &dyn Store, state: &mut State) -> Result<(), Error> {
    store.scan(Table::Records, layout::TRANSACTIONS, &mut |key, value| {
        let id = String::from_utf8_lossy(&key[layout::TRANSACTIONS.len()..]).into_owned();
        let transaction =
            layout::transaction(value).map_err(|_| unreadable(&format!("transaction `{id}`")))?;
        if transaction.phase == txn::Phase::Ongoing {
            for ((group, partition), committed) in &transaction.offsets {
                let group = state.groups.entry(group.clone()).or_default();
                let (partition, committed) = (partition.clone(), committed.clone());
                group
                    .offsets
                    .promise(transaction.producer, partition, committed);
            }
        }
        state.coordinator.restore(id, transaction);
        Ok(())
    })
}

fn unreadable(what: &str) -> Error {
    Error::Unreadable {
        what: what.to_owned(),
    }
}
