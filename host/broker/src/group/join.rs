//! Joining a group, and getting the assignment.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::{Answers, Group, Joined, Member, Phase, Ticket};
use crate::code::Code;

/// A request to join.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// Empty: a member that has no id yet.
    pub(crate) member: StrBytes,
    /// The id it gets if it has none.
    pub(crate) new_member: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client: StrBytes,
    pub(crate) host: StrBytes,
    pub(crate) session: Duration,
    pub(crate) rebalance: Duration,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    /// The client can be given an id first and join with it afterwards.
    pub(crate) takes_id_first: bool,
    /// The client, as a leader, can be told that the assignment stands.
    pub(crate) can_skip_assignment: bool,
    /// How long a rebalance of an empty group waits for more members.
    pub(crate) initial_delay: Duration,
}

impl Group {
    /// A member joins, or joins again. The answer comes when all have.
    pub(crate) fn join(&mut self, join: Join, ticket: Ticket, now: Instant, answers: &mut Answers) {
        if join.protocols.is_empty() || join.protocol_type.is_empty() || !self.agrees(&join) {
            return answers.refused(ticket, Code::InconsistentGroupProtocol, join.member);
        }
        let id = match self.seat(&join, now) {
            Ok(Seat::Taken(id)) => id,
            Ok(Seat::Inherited(id)) => {
                return self.rejoin_static(id, &join, ticket, now, answers);
            }
            Err((code, id)) => return answers.refused(ticket, code, id),
        };
        let known = self.members.get(&id);
        let is_unchanged = known.is_some_and(|member| member.protocols == join.protocols);
        self.update(&id, &join, now);
        if is_unchanged {
            let stands = match self.phase {
                Phase::Completing => true,
                Phase::Stable => self.leader != id,
                Phase::Empty | Phase::Preparing => false,
            };
            if stands {
                return answers.joined(ticket, self.joined(&id));
            }
        }
        self.wait(&id, ticket, answers);
        self.rebalance(join.initial_delay, now, answers);
    }

    /// Whether there is an assignor that all members and the new one know.
    fn agrees(&self, join: &Join) -> bool {
        if self.members.is_empty() {
            return true;
        }
        join.protocol_type == self.protocol_type
            && self
                .candidates()
                .iter()
                .any(|name| join.protocols.iter().any(|(own, _)| own == name))
    }

    /// Finds the member id of one who joins.
    fn seat(&mut self, join: &Join, now: Instant) -> Result<Seat, (Code, StrBytes)> {
        let id = join.member.clone();
        if let Some(instance) = &join.instance {
            let holder = self.statics.get(instance);
            return match holder {
                Some(_) if id.is_empty() => Ok(Seat::Inherited(join.new_member.clone())),
                Some(holder) if *holder == id => Ok(Seat::Taken(id)),
                Some(_) => Err((Code::FencedInstanceId, id)),
                None if id.is_empty() => {
                    self.statics
                        .insert(instance.clone(), join.new_member.clone());
                    Ok(Seat::Taken(join.new_member.clone()))
                }
                None => Err((Code::UnknownMemberId, id)),
            };
        }
        if id.is_empty() {
            let id = join.new_member.clone();
            if join.takes_id_first {
                self.pending.insert(id.clone(), now + join.session);
                return Err((Code::MemberIdRequired, id));
            }
            return Ok(Seat::Taken(id));
        }
        if self.members.contains_key(&id) || self.pending.remove(&id).is_some() {
            Ok(Seat::Taken(id))
        } else {
            Err((Code::UnknownMemberId, id))
        }
    }

    /// A static member came back without its id: it gets a new one and keeps its partitions. Who
    /// still uses the old id is fenced.
    fn rejoin_static(
        &mut self,
        id: StrBytes,
        join: &Join,
        ticket: Ticket,
        now: Instant,
        answers: &mut Answers,
    ) {
        let instance = join
            .instance
            .clone()
            .expect("only a static member inherits a seat");
        let old = self
            .statics
            .insert(instance, id.clone())
            .expect("the seat was taken");
        let mut member = self
            .members
            .remove(&old)
            .expect("a static member is a member");
        if let Some(ticket) = member.joining.take() {
            answers.refused(ticket, Code::FencedInstanceId, old.clone());
        }
        if let Some(ticket) = member.syncing.take() {
            answers.synced(ticket, Err(Code::FencedInstanceId));
        }
        self.members.insert(id.clone(), member);
        let was_leader = self.leader == old;
        if was_leader {
            self.leader = id.clone();
        }
        let before = self.protocol.clone();
        self.update(&id, join, now);
        if self.phase != Phase::Stable || self.choose() != before {
            self.wait(&id, ticket, answers);
            return self.rebalance(join.initial_delay, now, answers);
        }
        self.is_unsaved = true;
        let mut joined = self.joined(&id);
        if was_leader && join.can_skip_assignment {
            joined.skip_assignment = true;
        } else if was_leader {
            // A client that would assign anew takes itself for a follower instead.
            joined.leader = old;
            joined.members.clear();
        }
        answers.joined(ticket, joined);
    }

    fn update(&mut self, id: &StrBytes, join: &Join, now: Instant) {
        self.protocol_type = join.protocol_type.clone();
        let member = self.members.entry(id.clone()).or_insert_with(|| Member {
            instance: None,
            client: join.client.clone(),
            host: join.host.clone(),
            assignment: Bytes::new(),
            session: join.session,
            rebalance: join.rebalance,
            protocols: Vec::new(),
            deadline: now,
            joining: None,
            syncing: None,
        });
        member.instance.clone_from(&join.instance);
        member.session = join.session;
        member.rebalance = join.rebalance;
        member.protocols.clone_from(&join.protocols);
        member.deadline = now + join.session;
    }

    fn wait(&mut self, id: &StrBytes, ticket: Ticket, answers: &mut Answers) {
        let member = self.members.get_mut(id).expect("it has just joined");
        if let Some(earlier) = member.joining.replace(ticket) {
            answers.refused(earlier, Code::RebalanceInProgress, id.clone());
        }
    }

    /// What a member is told once the group has a generation.
    pub(super) fn joined(&self, id: &StrBytes) -> Joined {
        let protocol = self.protocol();
        let members = self.members.iter().filter(|_| *id == self.leader);
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: protocol.clone(),
            leader: self.leader.clone(),
            member: id.clone(),
            members: members
                .map(|(id, member)| {
                    (
                        id.clone(),
                        member.instance.clone(),
                        member.subscription(&protocol),
                    )
                })
                .collect(),
            skip_assignment: false,
        }
    }

    /// A member asks for its assignment; the leader brings everyone's.
    pub(crate) fn sync(
        &mut self,
        (member, instance, generation): (&StrBytes, Option<&StrBytes>, i32),
        assignments: Vec<(StrBytes, Bytes)>,
        ticket: Ticket,
        now: Instant,
        answers: &mut Answers,
    ) {
        if let Err(code) = self.verify(member, instance, generation) {
            return answers.synced(ticket, Err(code));
        }
        self.touch(member, now);
        let asking = self.members.get_mut(member).expect("verified");
        match self.phase {
            Phase::Empty => answers.synced(ticket, Err(Code::UnknownMemberId)),
            Phase::Preparing => answers.synced(ticket, Err(Code::RebalanceInProgress)),
            Phase::Stable => answers.synced(ticket, Ok(asking.assignment.clone())),
            Phase::Completing => {
                if let Some(earlier) = asking.syncing.replace(ticket) {
                    answers.synced(earlier, Err(Code::RebalanceInProgress));
                }
                if *member == self.leader {
                    self.assign(assignments, now, answers);
                }
            }
        }
    }
}

/// The place of one who joins.
enum Seat {
    /// Its own, old or new.
    Taken(StrBytes),
    /// That of a static member that it comes back as.
    Inherited(StrBytes),
}
