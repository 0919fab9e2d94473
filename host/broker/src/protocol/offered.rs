//! The requests on offer, and their versions.
//!
//! Versions end where a newer one would need what this broker has not: topic ids in Produce and
//! Fetch, the second transaction protocol (KIP-890), the new consumer protocol (KIP-848).

use kafka_protocol::messages::ApiKey;

/// A request on offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    pub(crate) api: ApiKey,
    pub(crate) least: i16,
    pub(crate) most: i16,
}

impl Offered {
    /// Whether it is answered in this version.
    pub(crate) fn answers(&self, version: i16) -> bool {
        (self.least..=self.most).contains(&version)
    }

    /// The lowest version that clients are told. Older clients compress only if Produce is offered
    /// from version 0; neither Apache Kafka nor this broker answers below 3.
    pub(crate) fn told(&self) -> i16 {
        if self.api == ApiKey::Produce {
            0
        } else {
            self.least
        }
    }
}

const fn offered(api: ApiKey, least: i16, most: i16) -> Offered {
    Offered { api, least, most }
}

/// All of them.
pub(crate) const OFFERED: &[Offered] = &[
    offered(ApiKey::Produce, 3, 11),
    offered(ApiKey::Fetch, 4, 12),
    offered(ApiKey::ListOffsets, 1, 8),
    offered(ApiKey::Metadata, 0, 12),
    offered(ApiKey::OffsetCommit, 2, 8),
    offered(ApiKey::OffsetFetch, 1, 8),
    offered(ApiKey::FindCoordinator, 0, 4),
    offered(ApiKey::JoinGroup, 0, 9),
    offered(ApiKey::Heartbeat, 0, 4),
    offered(ApiKey::LeaveGroup, 0, 5),
    offered(ApiKey::SyncGroup, 0, 5),
    offered(ApiKey::DescribeGroups, 0, 5),
    offered(ApiKey::ListGroups, 0, 5),
    offered(ApiKey::ApiVersions, 0, 4),
    offered(ApiKey::CreateTopics, 2, 7),
    offered(ApiKey::DeleteTopics, 1, 6),
    offered(ApiKey::DeleteRecords, 0, 2),
    offered(ApiKey::InitProducerId, 0, 4),
    offered(ApiKey::OffsetForLeaderEpoch, 2, 4),
    offered(ApiKey::AddPartitionsToTxn, 0, 3),
    offered(ApiKey::AddOffsetsToTxn, 0, 3),
    offered(ApiKey::EndTxn, 0, 3),
    offered(ApiKey::TxnOffsetCommit, 0, 3),
    offered(ApiKey::DescribeConfigs, 1, 4),
    offered(ApiKey::AlterConfigs, 0, 2),
    offered(ApiKey::DescribeLogDirs, 1, 4),
    offered(ApiKey::CreatePartitions, 0, 3),
    offered(ApiKey::DeleteGroups, 0, 2),
    offered(ApiKey::IncrementalAlterConfigs, 0, 1),
    offered(ApiKey::OffsetDelete, 0, 0),
    offered(ApiKey::DescribeCluster, 0, 1),
    offered(ApiKey::DescribeProducers, 0, 0),
    offered(ApiKey::DescribeTransactions, 0, 0),
    offered(ApiKey::ListTransactions, 0, 1),
];

/// The request with that number.
pub(crate) fn find(key: i16) -> Option<&'static Offered> {
    OFFERED.iter().find(|offered| offered.api as i16 == key)
}
