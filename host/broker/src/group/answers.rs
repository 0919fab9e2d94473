//! What a group tells those who wait.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use crate::code::Code;

/// Stands for one waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// The answer to a member that joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocol: StrBytes,
    pub(crate) leader: StrBytes,
    pub(crate) member: StrBytes,
    /// Told to the leader alone: id, instance id and subscription of every member.
    pub(crate) members: Vec<(StrBytes, Option<StrBytes>, Bytes)>,
    /// The leader came back and the assignment stands: it need not assign anew.
    pub(crate) skip_assignment: bool,
}

/// The answer to one that did not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) member: StrBytes,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To a request to join.
    Join(Ticket, Result<Joined, Refused>),
    /// To a request for the assignment.
    Sync(Ticket, Result<Bytes, Code>),
}

/// Answers to be sent.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    answers: Vec<Answer>,
}

impl Answers {
    pub(crate) fn joined(&mut self, ticket: Ticket, joined: Joined) {
        self.answers.push(Answer::Join(ticket, Ok(joined)));
    }

    pub(crate) fn refused(&mut self, ticket: Ticket, code: Code, member: StrBytes) {
        self.answers
            .push(Answer::Join(ticket, Err(Refused { code, member })));
    }

    pub(crate) fn synced(&mut self, ticket: Ticket, result: Result<Bytes, Code>) {
        self.answers.push(Answer::Sync(ticket, result));
    }

    /// Takes all answers.
    pub(crate) fn take(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}
