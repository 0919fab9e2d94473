//! What can go wrong with Kafka, named for the caller's next move.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// A request to Kafka came to nothing. `doing` says what was tried, `reason` is librdkafka's or the
/// broker's word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No broker answered in time. Caller: try again, with back-off; nothing is lost. Where a
    /// commit says it, its outcome is unknown: as for [`Error::Broken`].
    #[error("{doing}: brokers do not answer ({reason}); weir keeps trying")]
    Unreachable {
        /// What was tried.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// Another transaction still holds the answer (a dead owner's, until its time-out). Caller: ask
    /// again soon.
    #[error("{doing}: waiting for a transaction of a former owner to end")]
    Pending {
        /// What was tried.
        doing: String,
    },
    /// The transaction cannot be committed; a rebalance does that, too. Caller: abort, go back to
    /// what is committed, go on.
    #[error("{doing}: the transaction must be aborted: {reason}")]
    Abortable {
        /// What was tried.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// Another client has this transactional id or group instance id now. Caller: close this worker
    /// without a commit.
    #[error(
        "{doing}: another worker has taken over: {reason}; \
         is the state folder of this host copied to another one?"
    )]
    Fenced {
        /// What was tried.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// The client is of no more use. Caller: make a new one, go back to what is committed, go on.
    #[error("{doing}: the Kafka client is broken: {reason}")]
    Broken {
        /// What was tried.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// The brokers or librdkafka refuse, and will again. Caller: stop, and show it to the operator.
    #[error("{doing}: refused: {reason}")]
    Refused {
        /// What was tried.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// Rows that should be read are gone: deleted by retention, or the topic was made anew. Caller:
    /// for an input, by policy; for a changelog, wipe the store and restore from the beginning.
    #[error(
        "offset {offset} of {topic}/{partition} is gone: it has {first} to {end}; \
         was the topic deleted and made anew, or is its retention too short?"
    )]
    OutOfRange {
        /// Of the rows.
        topic: String,
        /// Of the rows.
        partition: u32,
        /// The offset that was to be read.
        offset: i64,
        /// The first offset that is there.
        first: i64,
        /// The offset after the last that is there.
        end: i64,
    },
}

impl Error {
    /// Sorts librdkafka's error by what the caller should do.
    pub(super) fn of(doing: impl Into<String>, error: &KafkaError) -> Error {
        let doing = doing.into();
        if let KafkaError::Transaction(error) = error {
            return Error::of_transaction(doing, error);
        }
        let Some(code) = error.rdkafka_error_code() else {
            return Error::Refused {
                doing,
                reason: error.to_string(),
            };
        };
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) && !is_fencing(code) {
            return Error::Broken {
                doing,
                reason: code.to_string(),
            };
        }
        Error::of_code(doing, code)
    }

    /// The same for a bare code.
    pub(super) fn of_code(doing: impl Into<String>, code: Code) -> Error {
        let (doing, reason) = (doing.into(), code.to_string());
        if is_fencing(code) {
            Error::Fenced { doing, reason }
        } else if code == Code::UnstableOffsetCommit {
            Error::Pending { doing }
        } else if matches!(code, Code::IllegalGeneration | Code::UnknownMemberId) {
            Error::Abortable { doing, reason }
        } else if is_passing(code) {
            Error::Unreachable { doing, reason }
        } else if matches!(code, Code::Fatal | Code::State | Code::PurgeQueue) {
            Error::Broken { doing, reason }
        } else {
            Error::Refused { doing, reason }
        }
    }

    fn of_transaction(doing: String, error: &rdkafka::error::RDKafkaError) -> Error {
        let (code, reason) = (
            error.code(),
            format!("{} ({})", error.string(), error.name()),
        );
        if is_fencing(code) {
            Error::Fenced { doing, reason }
        } else if error.is_fatal() {
            Error::Broken { doing, reason }
        } else if error.txn_requires_abort()
            || matches!(code, Code::IllegalGeneration | Code::UnknownMemberId)
        {
            Error::Abortable { doing, reason }
        } else if error.is_retriable() || is_passing(code) {
            Error::Unreachable { doing, reason }
        } else if matches!(code, Code::State) {
            Error::Broken { doing, reason }
        } else {
            Error::Refused { doing, reason }
        }
    }
}

/// Someone else has our name.
fn is_fencing(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::FencedInstanceId
    )
}

/// It may work the next time.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::Resolve
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::RequestTimedOut
            | Code::WaitingForCoordinator
            | Code::WaitCache
            | Code::InProgress
            | Code::Retry
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::NotController
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::RebalanceInProgress
            | Code::ConcurrentTransactions
            | Code::KafkaStorageError
            | Code::QueueFull
    )
}
