//! Stories of groups, told to the state machine without a socket.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::*;

const SESSION: Duration = Duration::from_secs(10);

/// A group, its clock, and the answers it has given.
struct Story {
    group: Group,
    now: Instant,
    answers: Answers,
    tickets: u64,
}

fn story() -> Story {
    Story {
        group: Group::default(),
        now: Instant::now(),
        answers: Answers::default(),
        tickets: 0,
    }
}

fn word(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl Story {
    fn join(&mut self, member: &str, instance: Option<&str>, new_member: &str) -> Ticket {
        let join = Join {
            member: word(member),
            new_member: word(new_member),
            instance: instance.map(word),
            client: word("client"),
            host: word("/127.0.0.1"),
            session: SESSION,
            rebalance: Duration::from_secs(60),
            protocol_type: word("consumer"),
            protocols: vec![(word("range"), Bytes::from_static(b"what I read"))],
            takes_id_first: instance.is_none(),
            can_skip_assignment: true,
            initial_delay: Duration::ZERO,
        };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.group.join(join, ticket, self.now, &mut self.answers);
        ticket
    }

    /// A dynamic member: gets its id, then joins with it.
    fn enter(&mut self, member: &str) -> Ticket {
        let ticket = self.join("", None, member);
        let answers = self.answers.take();
        let Some(Answer::Join(answered, Err(refused))) = answers.last() else {
            panic!("{answers:?}")
        };
        assert_eq!((*answered, refused.code), (ticket, Code::MemberIdRequired));
        self.join(member, None, "")
    }

    fn sync(&mut self, member: &str, instance: Option<&str>, assignments: &[(&str, &str)]) {
        let generation = self.group.generation;
        let assignments = assignments
            .iter()
            .map(|(member, given)| (word(member), Bytes::from((*given).to_owned())))
            .collect();
        self.tickets += 1;
        let who = (&word(member), instance.map(word));
        let who = (who.0, who.1.as_ref(), generation);
        let ticket = Ticket(self.tickets);
        self.group
            .sync(who, assignments, ticket, self.now, &mut self.answers);
    }

    /// Who was told what, in order.
    fn told(&mut self) -> Vec<String> {
        let told = self.answers.take().into_iter().map(|answer| match answer {
            Answer::Join(_, Ok(joined)) => {
                let role = if joined.leader == joined.member {
                    "leads"
                } else {
                    "follows"
                };
                let skips = if joined.skip_assignment {
                    ", as before"
                } else {
                    ""
                };
                format!(
                    "{} {role} {}{skips}",
                    joined.member.as_str(),
                    joined.members.len()
                )
            }
            Answer::Join(_, Err(refused)) => {
                format!("{}: {:?}", refused.member.as_str(), refused.code)
            }
            Answer::Sync(_, Ok(given)) => format!("gets {}", String::from_utf8_lossy(&given)),
            Answer::Sync(_, Err(code)) => format!("sync: {code:?}"),
        });
        told.collect()
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.group.tick(self.now, &mut self.answers);
    }

    fn beats(&mut self, member: &str) -> Result<(), Code> {
        let generation = self.group.generation;
        self.group
            .heartbeat(&word(member), None, generation, self.now)
    }
}

/// Two members, both with their assignment.
fn settled() -> Story {
    let mut story = story();
    story.enter("a");
    story.sync("a", None, &[("a", "all")]);
    story.enter("b");
    story.join("a", None, "");
    story.sync("b", None, &[]);
    story.sync("a", None, &[("a", "left"), ("b", "right")]);
    story.told();
    assert_eq!(story.group.phase(), Phase::Stable);
    story
}

#[test]
fn members_share_what_the_leader_gives() {
    let mut story = story();
    story.enter("a");
    assert_eq!(story.told(), ["a leads 1"]);
    story.sync("a", None, &[("a", "all")]);
    assert_eq!(story.told(), ["gets all"]);
    story.enter("b");
    assert_eq!(story.told(), [""; 0], "b waits until a has joined again");
    assert_eq!(story.beats("a"), Err(Code::RebalanceInProgress));
    story.join("a", None, "");
    assert_eq!(story.told(), ["a leads 2", "b follows 0"]);
    story.sync("b", None, &[]);
    assert_eq!(story.told(), [""; 0], "b waits for the leader");
    story.sync("a", None, &[("a", "left"), ("b", "right")]);
    assert_eq!(story.told(), ["gets left", "gets right"]);
}

#[test]
fn a_silent_member_loses_its_place_and_its_generation() {
    let mut story = settled();
    let old = story.group.generation;
    story.passes(SESSION / 2);
    story.beats("a").unwrap();
    story.passes(SESSION / 2);
    assert_eq!(
        story.beats("a"),
        Err(Code::RebalanceInProgress),
        "b is gone"
    );
    story.join("a", None, "");
    assert_eq!(story.told(), ["a leads 1"]);
    let late = story.group.may_commit(&word("b"), None, old, true);
    assert_eq!(late, Err(Code::UnknownMemberId));
    let stale = story.group.may_commit(&word("a"), None, old, true);
    assert_eq!(stale, Err(Code::IllegalGeneration));
}

#[test]
fn a_member_that_does_not_join_again_is_left_behind() {
    let mut story = settled();
    story.enter("c");
    for _ in 0..20 {
        story.passes(Duration::from_secs(3));
        let _ = story.beats("a");
        let _ = story.beats("b");
    }
    assert_eq!(story.told(), ["c leads 1"]);
}

#[test]
fn a_static_member_comes_back_to_its_place_and_fences_its_double() {
    let mut story = story();
    story.join("", Some("one"), "one-1");
    story.sync("one-1", Some("one"), &[("one-1", "all")]);
    assert_eq!(story.told(), ["one-1 leads 1", "gets all"]);
    let generation = story.group.generation;
    story.join("", Some("one"), "one-2");
    assert_eq!(story.told(), ["one-2 leads 1, as before"]);
    assert_eq!(story.group.generation, generation, "no rebalance");
    story.sync("one-2", Some("one"), &[]);
    assert_eq!(story.told(), ["gets all"]);
    story.sync("one-1", Some("one"), &[]);
    assert_eq!(story.told(), ["sync: FencedInstanceId"]);
    story.join("one-1", Some("one"), "");
    assert_eq!(story.told(), ["one-1: FencedInstanceId"]);
}

#[test]
fn a_member_that_leaves_hands_over_at_once() {
    let mut story = settled();
    story
        .group
        .leave(&word("b"), None, story.now, &mut story.answers)
        .unwrap();
    story.join("a", None, "");
    assert_eq!(story.told(), ["a leads 1"]);
    story
        .group
        .leave(&word("a"), None, story.now, &mut story.answers)
        .unwrap();
    assert_eq!(story.group.phase(), Phase::Empty);
}

#[test]
fn only_members_commit_to_a_group_that_has_some() {
    let story = settled();
    let nobody = word("");
    let plain = story.group.may_commit(&nobody, None, -1, false);
    assert_eq!(plain, Err(Code::UnknownMemberId));
    assert_eq!(story.group.may_commit(&nobody, None, -1, true), Ok(()));
    assert_eq!(
        Group::default().may_commit(&nobody, None, -1, false),
        Ok(())
    );
}

#[test]
fn an_assignor_that_the_others_do_not_know_is_refused() {
    let mut story = settled();
    let join = Join {
        member: word(""),
        new_member: word("c"),
        instance: None,
        client: word("client"),
        host: word("/127.0.0.1"),
        session: SESSION,
        rebalance: SESSION,
        protocol_type: word("consumer"),
        protocols: vec![(word("roundrobin"), Bytes::new())],
        takes_id_first: true,
        can_skip_assignment: true,
        initial_delay: Duration::ZERO,
    };
    story
        .group
        .join(join, Ticket(99), story.now, &mut story.answers);
    assert_eq!(story.told(), [": InconsistentGroupProtocol"]);
}

#[test]
fn offsets_of_a_transaction_count_only_once_it_is_committed() {
    let mut group = Group::default();
    let orders = ("orders".to_owned(), 0);
    let position = |offset| offsets::Committed {
        offset,
        ..offsets::Committed::default()
    };
    group.offsets.promise(7, orders.clone(), position(5));
    assert!(group.offsets.is_pending(&orders) && group.offsets.get(&orders).is_none());
    assert!(group.offsets.settle(7, false).is_empty());
    group.offsets.promise(7, orders.clone(), position(6));
    assert_eq!(group.offsets.settle(7, true).len(), 1);
    assert_eq!(group.offsets.get(&orders).unwrap().offset, 6);
}

#[test]
fn a_subscription_tells_its_topics_and_a_torn_one_what_it_can() {
    let whole = b"\0\x03\0\0\0\x02\0\x06orders\0\x08payments";
    assert_eq!(
        subscribed(Bytes::from_static(whole)),
        ["orders", "payments"]
    );
    assert_eq!(subscribed(Bytes::from_static(&whole[..16])), ["orders"]);
    assert!(subscribed(Bytes::new()).is_empty());
}

#[test]
fn members_go_on_with_their_generation_after_a_restart() {
    let mut before = settled();
    let saved = before.group.take_saved().unwrap();
    assert_eq!(before.group.take_saved(), None, "nothing is written twice");
    let mut after = story();
    after.group.restore(&saved, after.now).unwrap();
    assert_eq!(after.group.generation, before.group.generation);
    after.beats("a").unwrap();
    after.sync("b", None, &[]);
    assert_eq!(after.told(), ["gets right"]);
    after.passes(SESSION / 2);
    after.beats("b").unwrap();
    after.passes(SESSION / 2);
    assert_eq!(
        after.beats("b"),
        Err(Code::RebalanceInProgress),
        "a was not heard from"
    );
    for cut in 1..saved.len() {
        let mut torn = Group::default();
        let is_whole = torn.restore(&saved[..cut], after.now).is_ok();
        assert!(!is_whole || torn.members.len() < 2, "cut at {cut}");
    }
}
