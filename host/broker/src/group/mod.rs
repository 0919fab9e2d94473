//! A consumer group: who its members are, and which of them reads what.
//!
//! The classic protocol of Apache Kafka's coordinator (dynamic and static members, eager and
//! cooperative assignors) as a pure state machine: time comes in as an argument, answers go out
//! through [`Answers`], since a member that joins or syncs waits for the others. Generations never
//! go back. A member that waits for an answer is alive; any other one must be heard from within its
//! session.

mod answers;
mod join;
pub(crate) mod offsets;
mod rebalance;
mod saved;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;

pub(crate) use self::answers::{Answer, Answers, Joined, Refused, Ticket};
pub(crate) use self::join::Join;
use self::offsets::Offsets;
use crate::code::Code;

/// What a group is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has no members.
    #[default]
    Empty,
    /// It waits until all members have joined again.
    Preparing,
    /// It waits for the leader's assignment.
    Completing,
    /// Every member has its assignment.
    Stable,
}

impl Phase {
    /// Its name in Kafka's tools.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing => "PreparingRebalance",
            Self::Completing => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client: StrBytes,
    pub(crate) host: StrBytes,
    pub(crate) assignment: Bytes,
    session: Duration,
    rebalance: Duration,
    /// Name and subscription for each assignor, best first.
    protocols: Vec<(StrBytes, Bytes)>,
    deadline: Instant,
    joining: Option<Ticket>,
    syncing: Option<Ticket>,
}

impl Member {
    fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// What it told the leader in this protocol.
    pub(crate) fn subscription(&self, protocol: &str) -> Bytes {
        let own = self
            .protocols
            .iter()
            .find(|(name, _)| name.as_str() == protocol);
        own.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }
}

/// A group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: StrBytes,
    protocol: Option<StrBytes>,
    leader: StrBytes,
    members: BTreeMap<StrBytes, Member>,
    /// Instance id to member id.
    statics: HashMap<StrBytes, StrBytes>,
    /// Ids given out whose members have not joined yet.
    pending: HashMap<StrBytes, Instant>,
    /// When a rebalance goes on without those who have not joined.
    deadline: Option<Instant>,
    /// When a rebalance may end at the earliest.
    not_before: Option<Instant>,
    /// Its generation or its members differ from what was written down last.
    is_unsaved: bool,
    /// Committed offsets, and those of open transactions.
    pub(crate) offsets: Offsets,
}

impl Group {
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn protocol_type(&self) -> &StrBytes {
        &self.protocol_type
    }

    /// The assignor that the members agreed on; empty if there is none.
    pub(crate) fn protocol(&self) -> StrBytes {
        self.protocol.clone().unwrap_or_default()
    }

    pub(crate) fn members(&self) -> &BTreeMap<StrBytes, Member> {
        &self.members
    }

    /// The topics that members of this group of consumers read. Groups of other kinds: none.
    pub(crate) fn topics(&self) -> BTreeSet<String> {
        let protocol = self.protocol();
        let consumers = self
            .members
            .values()
            .filter(|_| self.protocol_type.as_str() == "consumer");
        consumers
            .flat_map(|member| subscribed(member.subscription(&protocol)))
            .collect()
    }

    /// Whether the caller is a member of the present generation.
    fn verify(
        &self,
        member: &StrBytes,
        instance: Option<&StrBytes>,
        generation: i32,
    ) -> Result<(), Code> {
        if let Some(instance) = instance {
            match self.statics.get(instance) {
                None => return Err(Code::UnknownMemberId),
                Some(id) if id != member => return Err(Code::FencedInstanceId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(member) {
            Err(Code::UnknownMemberId)
        } else if generation != self.generation {
            Err(Code::IllegalGeneration)
        } else {
            Ok(())
        }
    }

    /// A member says that it lives.
    pub(crate) fn heartbeat(
        &mut self,
        member: &StrBytes,
        instance: Option<&StrBytes>,
        generation: i32,
        now: Instant,
    ) -> Result<(), Code> {
        self.verify(member, instance, generation)?;
        self.touch(member, now);
        if self.phase == Phase::Preparing {
            Err(Code::RebalanceInProgress)
        } else {
            Ok(())
        }
    }

    /// A member was heard from.
    pub(crate) fn touch(&mut self, member: &StrBytes, now: Instant) {
        if let Some(member) = self.members.get_mut(member) {
            member.deadline = now + member.session;
        }
    }

    /// A member leaves. A static one may leave by its instance id alone.
    pub(crate) fn leave(
        &mut self,
        member: &StrBytes,
        instance: Option<&StrBytes>,
        now: Instant,
        answers: &mut Answers,
    ) -> Result<(), Code> {
        let id = match instance {
            None => member.clone(),
            Some(instance) => match self.statics.get(instance) {
                None => return Err(Code::UnknownMemberId),
                Some(id) if !member.is_empty() && id != member => {
                    return Err(Code::FencedInstanceId);
                }
                Some(id) => id.clone(),
            },
        };
        if self.pending.remove(&id).is_some() {
            self.try_complete(now, answers);
            return Ok(());
        }
        if !self.members.contains_key(&id) {
            return Err(Code::UnknownMemberId);
        }
        self.remove(&id, now, answers);
        Ok(())
    }

    /// Whether this caller may commit offsets. One without a member id may if the group has no
    /// members, or in a transaction: clients that know no generation are not fenced by it.
    pub(crate) fn may_commit(
        &self,
        member: &StrBytes,
        instance: Option<&StrBytes>,
        generation: i32,
        in_transaction: bool,
    ) -> Result<(), Code> {
        if generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if generation >= 0 || !member.is_empty() || instance.is_some() {
            self.verify(member, instance, generation)?;
        } else if !in_transaction && self.phase != Phase::Empty {
            return Err(Code::UnknownMemberId);
        }
        if !in_transaction && self.phase == Phase::Completing {
            return Err(Code::RebalanceInProgress);
        }
        Ok(())
    }

    /// Lets time pass: silent members go, a rebalance that has waited long enough goes on.
    pub(crate) fn tick(&mut self, now: Instant, answers: &mut Answers) {
        let silent = |member: &Member| !member.waits() && member.deadline <= now;
        let gone: Vec<StrBytes> = self
            .members
            .iter()
            .filter(|(_, member)| silent(member))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.remove(&id, now, answers);
        }
        self.pending.retain(|_, deadline| *deadline > now);
        self.try_complete(now, answers);
    }

    /// Whether nothing would be lost with this group.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty() && self.offsets.is_empty()
    }
}

/// The topics of a consumer's subscription: a version, then a list of names.
fn subscribed(mut bytes: Bytes) -> Vec<String> {
    let mut topics = Vec::new();
    if bytes.remaining() < 6 {
        return topics;
    }
    bytes.advance(2);
    for _ in 0..bytes.get_i32() {
        if bytes.remaining() < 2 {
            break;
        }
        let length = usize::from(bytes.get_u16());
        if bytes.remaining() < length {
            break;
        }
        topics.push(String::from_utf8_lossy(&bytes.split_to(length)).into_owned());
    }
    topics
}
