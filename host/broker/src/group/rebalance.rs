//! Rebalances: from the first member that joins to the assignment of all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::{Answers, Group, Phase};
use crate::code::Code;

impl Group {
    /// The assignors that all members know, in the order of the first one.
    pub(super) fn candidates(&self) -> Vec<StrBytes> {
        let mut members = self.members.values();
        let Some(first) = members.next() else {
            return Vec::new();
        };
        let mut names: Vec<StrBytes> = first
            .protocols
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        for member in members {
            names.retain(|name| member.protocols.iter().any(|(own, _)| own == name));
        }
        names
    }

    /// The assignor that most members like best.
    pub(super) fn choose(&self) -> Option<StrBytes> {
        let candidates = self.candidates();
        let mut votes: HashMap<&StrBytes, usize> = HashMap::new();
        for member in self.members.values() {
            let best = member
                .protocols
                .iter()
                .find(|(name, _)| candidates.contains(name));
            if let Some((name, _)) = best {
                *votes.entry(name).or_default() += 1;
            }
        }
        candidates
            .iter()
            .rev()
            .max_by_key(|name| votes.get(name).copied().unwrap_or_default())
            .cloned()
    }

    /// Begins a rebalance, unless one is under way.
    pub(super) fn rebalance(&mut self, delay: Duration, now: Instant, answers: &mut Answers) {
        if self.phase != Phase::Preparing {
            for member in self.members.values_mut() {
                if let Some(ticket) = member.syncing.take() {
                    answers.synced(ticket, Err(Code::RebalanceInProgress));
                }
            }
            self.not_before = (self.phase == Phase::Empty).then(|| now + delay);
            self.phase = Phase::Preparing;
            self.deadline = self
                .members
                .values()
                .map(|member| now + member.rebalance)
                .max();
        }
        self.try_complete(now, answers);
    }

    /// Ends the rebalance if everyone is there or the time is up.
    pub(super) fn try_complete(&mut self, now: Instant, answers: &mut Answers) {
        if self.phase != Phase::Preparing || self.not_before.is_some_and(|moment| now < moment) {
            return;
        }
        let is_late = self.deadline.is_none_or(|deadline| now >= deadline);
        let all = self.members.values().all(|member| member.joining.is_some());
        if !(is_late || all && self.pending.is_empty()) {
            return;
        }
        // A static member that is late keeps its place until its session ends.
        self.members
            .retain(|_, member| member.joining.is_some() || member.instance.is_some());
        self.pending.clear();
        self.not_before = None;
        let Some(leader) = self.next_leader() else {
            if self.members.is_empty() {
                self.become_empty();
            } else {
                // Only static members, and none has come yet: wait for another round.
                self.deadline = self
                    .members
                    .values()
                    .map(|member| now + member.rebalance)
                    .max();
            }
            return;
        };
        self.leader = leader;
        self.generation += 1;
        self.protocol = self.choose();
        self.phase = Phase::Completing;
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            let member = self.members.get_mut(&id).expect("it was listed");
            if let Some(ticket) = member.joining.take() {
                member.deadline = now + member.session;
                answers.joined(ticket, joined);
            }
        }
    }

    /// The leader, if it has joined; else another one that has.
    fn next_leader(&self) -> Option<StrBytes> {
        if self
            .members
            .get(&self.leader)
            .is_some_and(|member| member.joining.is_some())
        {
            return Some(self.leader.clone());
        }
        let mut joined = self
            .members
            .iter()
            .filter(|(_, member)| member.joining.is_some());
        joined.next().map(|(id, _)| id.clone())
    }

    fn become_empty(&mut self) {
        self.generation += 1;
        self.phase = Phase::Empty;
        self.is_unsaved = true;
        self.protocol = None;
        self.leader = StrBytes::default();
    }

    /// The leader has decided.
    pub(super) fn assign(
        &mut self,
        assignments: Vec<(StrBytes, Bytes)>,
        now: Instant,
        answers: &mut Answers,
    ) {
        let mut assignments: HashMap<StrBytes, Bytes> = assignments.into_iter().collect();
        self.phase = Phase::Stable;
        self.is_unsaved = true;
        for (id, member) in &mut self.members {
            member.assignment = assignments.remove(id).unwrap_or_default();
            if let Some(ticket) = member.syncing.take() {
                member.deadline = now + member.session;
                answers.synced(ticket, Ok(member.assignment.clone()));
            }
        }
    }

    /// Takes a member out; the others share what it had.
    pub(super) fn remove(&mut self, id: &StrBytes, now: Instant, answers: &mut Answers) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(instance) = &member.instance {
            self.statics.remove(instance);
        }
        if let Some(ticket) = member.joining {
            answers.refused(ticket, Code::UnknownMemberId, id.clone());
        }
        if let Some(ticket) = member.syncing {
            answers.synced(ticket, Err(Code::UnknownMemberId));
        }
        match self.phase {
            Phase::Stable | Phase::Completing => self.rebalance(Duration::ZERO, now, answers),
            Phase::Preparing => self.try_complete(now, answers),
            Phase::Empty => {}
        }
    }
}
