//! Kafka's wire protocol: which requests are answered, and by whom.
//!
//! A file for each family of requests. [`answer`] decodes, hands over and encodes; what a request
//! means is decided in the state machines. A request that is not on offer closes the connection,
//! as with Apache Kafka; only a request for versions is always answered.

mod admin;
mod cautious;
mod cluster;
mod commits;
mod configs;
mod describe;
mod fetch;
mod fetch_frame;
mod groups;
mod list_offsets;
mod membership;
mod offered;
mod produce;
mod topics;
mod transactions;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::sync::Notify;

pub(crate) use self::offered::OFFERED;
use crate::state::{Shared, Stopped};

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    /// The address that the client came by; it is told this one.
    pub(crate) local: SocketAddr,
    /// Where it came from.
    pub(crate) host: StrBytes,
    /// Wakes a fetch that waits.
    pub(crate) bell: Arc<Notify>,
}

/// Who asks, in which version.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) connection: &'a Connection,
    pub(crate) version: i16,
    pub(crate) client: StrBytes,
}

/// Why a connection is closed instead of being answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It asks for what is not on offer.
    #[error("request {key} in version {version} is not on offer")]
    NotOffered { key: i16, version: i16 },
    /// It says what cannot be understood.
    #[error("a malformed {api:?} request of version {version}: {reason:#}")]
    Malformed {
        api: ApiKey,
        version: i16,
        reason: anyhow::Error,
    },
    /// The answer does not fit its version.
    #[error("the answer to {api:?} has no form in version {version}: {reason:#}")]
    Inexpressible {
        api: ApiKey,
        version: i16,
        reason: anyhow::Error,
    },
    /// The request ends within its header.
    #[error("a request without a header")]
    NoHeader,
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// An answer: runs of bytes, sent one after the other.
pub(crate) type Reply = Vec<Bytes>;

/// Answers one request; `None` if its sender wants no answer.
pub(crate) async fn answer(
    shared: &Shared,
    connection: &Connection,
    mut body: Bytes,
) -> Result<Option<Reply>, Failure> {
    let mut head = body.clone();
    if head.remaining() < 8 {
        return Err(Failure::NoHeader);
    }
    let (key, version, correlation) = (head.get_i16(), head.get_i16(), head.get_i32());
    let mut out = BytesMut::with_capacity(256);
    out.put_i32(0);
    out.put_i32(correlation);
    let offered = offered::find(key);
    let Some(offered) = offered.filter(|offered| offered.answers(version)) else {
        if key == ApiKey::ApiVersions as i16 {
            cluster::unsupported_versions()
                .encode(&mut out, 0)
                .map_err(|reason| Failure::Inexpressible {
                    api: ApiKey::ApiVersions,
                    version: 0,
                    reason,
                })?;
            return Ok(Some(vec![sealed(out, 0)]));
        }
        return Err(Failure::NotOffered { key, version });
    };
    let api = offered.api;
    let header = RequestHeader::decode(&mut body, api.request_header_version(version)).map_err(
        |reason| Failure::Malformed {
            api,
            version,
            reason,
        },
    )?;
    if api.response_header_version(version) >= 1 {
        out.put_u8(0);
    }
    let client = header.client_id.unwrap_or_default();
    let call = Call {
        shared,
        connection,
        version,
        client,
    };
    let mut exchange = Exchange {
        api,
        version,
        body,
        out,
        tail: Vec::new(),
    };
    let is_answered = dispatch(&call, &mut exchange).await?;
    if !is_answered {
        return Ok(None);
    }
    let Exchange { out, mut tail, .. } = exchange;
    let rest = tail.iter().map(Bytes::len).sum();
    tail.insert(0, sealed(out, rest));
    Ok(Some(tail))
}

/// Writes the length of the answer into its first four bytes.
fn sealed(mut out: BytesMut, rest: usize) -> Bytes {
    let length = u32::try_from(out.len() - 4 + rest).expect("answers are limited");
    out[..4].copy_from_slice(&length.to_be_bytes());
    out.freeze()
}

/// One request on its way to an answer.
struct Exchange {
    api: ApiKey,
    version: i16,
    body: Bytes,
    out: BytesMut,
    tail: Vec<Bytes>,
}

impl Exchange {
    fn request<Q: Decodable>(&mut self) -> Result<Q, Failure> {
        let (api, version) = (self.api, self.version);
        cautious::check::<Q>(&self.body, version)
            .and_then(|()| Q::decode(&mut self.body, version))
            .map_err(|reason| Failure::Malformed {
                api,
                version,
                reason,
            })
    }

    fn reply<A: Encodable>(&mut self, answer: &A) -> Result<(), Failure> {
        let (api, version) = (self.api, self.version);
        answer
            .encode(&mut self.out, version)
            .map_err(|reason| Failure::Inexpressible {
                api,
                version,
                reason,
            })
    }

    /// The usual way: decode, ask, encode.
    fn by<Q: Decodable, A: Encodable>(
        &mut self,
        call: &Call<'_>,
        handler: impl FnOnce(&Call<'_>, Q) -> Result<A, Stopped>,
    ) -> Result<(), Failure> {
        let request = self.request()?;
        self.reply(&handler(call, request)?)
    }
}

/// Hands a request to its handler. Returns whether there is an answer to send.
async fn dispatch(call: &Call<'_>, exchange: &mut Exchange) -> Result<bool, Failure> {
    match exchange.api {
        ApiKey::Produce => {
            let request: ProduceRequest = exchange.request()?;
            let is_answered = request.acks != 0;
            let answer = produce::produce(call, request)?;
            if is_answered {
                exchange.reply(&answer)?;
            }
            return Ok(is_answered);
        }
        ApiKey::Fetch => {
            let request = exchange.request()?;
            exchange.tail = fetch::fetch(call, request, &mut exchange.out).await?;
        }
        ApiKey::JoinGroup => {
            let request = exchange.request()?;
            exchange.reply(&membership::join(call, request).await?)?;
        }
        ApiKey::SyncGroup => {
            let request = exchange.request()?;
            exchange.reply(&membership::sync(call, request).await?)?;
        }
        ApiKey::ApiVersions => exchange.by(call, cluster::api_versions)?,
        ApiKey::Metadata => exchange.by(call, cluster::metadata)?,
        ApiKey::DescribeCluster => exchange.by(call, cluster::describe_cluster)?,
        ApiKey::FindCoordinator => exchange.by(call, cluster::find_coordinator)?,
        ApiKey::ListOffsets => exchange.by(call, list_offsets::list_offsets)?,
        ApiKey::OffsetForLeaderEpoch => exchange.by(call, list_offsets::leader_epoch)?,
        ApiKey::Heartbeat => exchange.by(call, membership::heartbeat)?,
        ApiKey::LeaveGroup => exchange.by(call, membership::leave)?,
        ApiKey::OffsetCommit => exchange.by(call, commits::commit)?,
        ApiKey::OffsetFetch => exchange.by(call, commits::fetch)?,
        ApiKey::OffsetDelete => exchange.by(call, commits::delete)?,
        ApiKey::TxnOffsetCommit => exchange.by(call, commits::commit_in_transaction)?,
        ApiKey::InitProducerId => exchange.by(call, transactions::init_producer)?,
        ApiKey::AddPartitionsToTxn => exchange.by(call, transactions::add_partitions)?,
        ApiKey::AddOffsetsToTxn => exchange.by(call, transactions::add_offsets)?,
        ApiKey::EndTxn => exchange.by(call, transactions::end)?,
        ApiKey::DescribeGroups => exchange.by(call, groups::describe)?,
        ApiKey::ListGroups => exchange.by(call, groups::list)?,
        ApiKey::DeleteGroups => exchange.by(call, groups::delete)?,
        ApiKey::CreateTopics => exchange.by(call, topics::create)?,
        ApiKey::DeleteTopics => exchange.by(call, topics::delete)?,
        ApiKey::CreatePartitions => exchange.by(call, topics::create_partitions)?,
        ApiKey::DeleteRecords => exchange.by(call, admin::delete_records)?,
        ApiKey::DescribeLogDirs => exchange.by(call, admin::describe_log_dirs)?,
        ApiKey::DescribeConfigs => exchange.by(call, configs::describe)?,
        ApiKey::AlterConfigs => exchange.by(call, configs::alter)?,
        ApiKey::IncrementalAlterConfigs => exchange.by(call, configs::alter_incrementally)?,
        ApiKey::DescribeProducers => exchange.by(call, describe::producers)?,
        ApiKey::DescribeTransactions => exchange.by(call, describe::transactions)?,
        ApiKey::ListTransactions => exchange.by(call, describe::list_transactions)?,
        other => {
            let version = exchange.version;
            return Err(Failure::NotOffered {
                key: other as i16,
                version,
            });
        }
    }
    Ok(true)
}
