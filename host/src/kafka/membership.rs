//! Which tasks are this worker's.
//!
//! A static member of the service's group that subscribes to `<service>-tasks`, of which each
//! partition is a task and none is ever written. librdkafka asks for every change; here it is kept
//! as an [`Event`] until the worker, having ended its transaction, acknowledges it. Until then the
//! group waits, and no other worker gets a task that is being given up.
//!
//! Never commit with anything but [`Membership::group_metadata`], taken at that moment: it is what
//! fences a worker that lost its tasks.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{
    BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata, RebalanceProtocol,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;

use super::cluster::Cluster;
use super::context::{Wake, log_line};
use super::error::Error;
use super::lanes::raw;
use super::leave;

/// A change of the tasks that this worker owns, by their partitions of the tasks topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// These are ours from the acknowledgement on. Their former owners have ended their
    /// transactions, or are dead.
    Assigned(Vec<u32>),
    /// These are to be given up. Caller: commit, drop them, acknowledge.
    Revoked(Vec<u32>),
    /// These are another's already. Caller: abort, drop them, acknowledge.
    Lost(Vec<u32>),
}

/// What fences the commits of a worker: its generation in the group.
pub struct GroupMetadata(pub(super) ConsumerGroupMetadata);

/// A worker's membership in its service's group.
pub struct Membership {
    consumer: BaseConsumer<Rebalances>,
    group: String,
    instance: String,
    topic: String,
    tasks: BTreeSet<u32>,
}

/// Keeps what librdkafka's callback was told.
#[derive(Default)]
struct Rebalances {
    events: Mutex<VecDeque<Event>>,
    joined: AtomicBool,
    closing: AtomicBool,
}

impl ClientContext for Rebalances {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "weir::kafka", %error, reason, "membership");
    }
}

impl ConsumerContext for Rebalances {
    /// Runs inside `poll`, on the worker's thread. Instead of following the change at once, as
    /// librdkafka's default does, it is put down for the worker; librdkafka waits for the call that
    /// follows it.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        self.joined.fetch_or(assigned, Ordering::Relaxed);
        let tasks: Vec<u32> = list
            .elements()
            .iter()
            .map(|task| u32::try_from(task.partition()).unwrap_or(0))
            .collect();
        if tasks.is_empty() || self.closing.load(Ordering::Relaxed) {
            let followed = if assigned {
                follow_assign(consumer, list)
            } else {
                follow_revoke(consumer, list)
            };
            if let Err(error) = followed {
                tracing::debug!(target: "weir::kafka", %error, "rebalance");
            }
            return;
        }
        self.events
            .lock()
            .push_back(match (assigned, consumer.assignment_lost()) {
                (true, _) => Event::Assigned(tasks),
                (false, false) => Event::Revoked(tasks),
                (false, true) => Event::Lost(tasks),
            });
    }
}

impl Membership {
    /// Joins the group `service` for the tasks topic, which must exist. `instance` must be this
    /// worker's alone, and the same after a restart. `wake` is called when there is something to
    /// poll.
    pub fn join(
        cluster: &Cluster,
        service: &str,
        instance: &str,
        wake: Wake,
    ) -> Result<Membership, Error> {
        let doing = || format!("joining the group `{service}`");
        let config = cluster.settings().membership(service, instance);
        let mut consumer = BaseConsumer::from_config_and_context(&config, Rebalances::default())
            .map_err(|error| Error::of(doing(), &error))?;
        consumer.set_nonempty_callback(move || wake());
        let topic = format!("{service}-tasks");
        consumer
            .subscribe(&[&topic])
            .map_err(|error| Error::of(doing(), &error))?;
        Ok(Membership {
            consumer,
            group: service.to_owned(),
            instance: instance.to_owned(),
            topic,
            tasks: BTreeSet::new(),
        })
    }

    /// What has changed: the same event until it is acknowledged. Never waits. Call it often: the
    /// group takes a worker that has not polled for `max_poll_interval` for dead. Errors:
    /// [`Error::Fenced`] when another worker has this instance's name.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
            let passing = [
                Code::PollExceeded,
                Code::UnknownTopicOrPartition,
                Code::PartitionEOF,
            ];
            let code = error.rdkafka_error_code();
            match Error::of("as a member of the group", &error) {
                Error::Unreachable { reason, .. } => tracing::debug!(reason, "membership"),
                _ if code.is_some_and(|code| passing.contains(&code)) => {
                    tracing::warn!(%error, topic = self.topic, "membership");
                }
                error => return Err(error),
            }
        }
        Ok(self.consumer.context().events.lock().front().cloned())
    }

    /// Tells the group that the event that `poll` gave last has been followed. Nothing to
    /// acknowledge: nothing happens. Errors: the assignment has been overtaken; join anew.
    pub fn acknowledge(&mut self) -> Result<(), Error> {
        let Some(event) = self.consumer.context().events.lock().pop_front() else {
            return Ok(());
        };
        let followed = match event {
            Event::Assigned(tasks) => {
                let followed = follow_assign(&self.consumer, &self.list(&tasks));
                self.tasks.extend(tasks);
                followed
            }
            Event::Revoked(tasks) | Event::Lost(tasks) => {
                self.tasks.retain(|task| !tasks.contains(task));
                follow_revoke(&self.consumer, &self.list(&tasks))
            }
        };
        followed.map_err(|error| Error::Broken {
            doing: "acknowledging a rebalance".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Whether the group has ever said which tasks are this worker's; it may be none.
    pub fn has_joined(&self) -> bool {
        self.consumer.context().joined.load(Ordering::Relaxed)
    }

    /// The tasks that were acknowledged and not revoked since.
    pub fn tasks(&self) -> &BTreeSet<u32> {
        &self.tasks
    }

    /// What the next commit is fenced by. Take it right before the commit. `None`: not a member
    /// yet.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.consumer.group_metadata().map(GroupMetadata)
    }

    /// Leaves the group, so that others have the tasks within a heartbeat. A membership that is
    /// only dropped stays in the group until its session's time is up, for one that comes back
    /// under its name. Waits for the brokers, 2 s at most for each.
    pub fn leave(self, cluster: &Cluster) {
        let (group, instance) = (self.group.clone(), self.instance.clone());
        // A client that still lives would join anew.
        drop(self);
        if let Err(reason) = leave::leave(cluster.settings(), &group, &instance) {
            let session = cluster.settings().session_timeout;
            tracing::info!(
                group,
                instance,
                reason,
                ?session,
                "not left: others have its tasks when its session ends"
            );
        }
    }

    fn list(&self, tasks: &[u32]) -> TopicPartitionList {
        list_of(&self.topic, tasks)
    }
}

impl Drop for Membership {
    /// Closing revokes what is left; the callback follows at once from now on, and so must what was
    /// not acknowledged, or librdkafka would wait for it for ever.
    fn drop(&mut self) {
        self.consumer
            .context()
            .closing
            .store(true, Ordering::Relaxed);
        let left: Vec<Event> = self.consumer.context().events.lock().drain(..).collect();
        for event in left {
            let followed = match event {
                Event::Assigned(tasks) => follow_assign(&self.consumer, &self.list(&tasks)),
                Event::Revoked(tasks) | Event::Lost(tasks) => {
                    follow_revoke(&self.consumer, &self.list(&tasks))
                }
            };
            if let Err(error) = followed {
                tracing::debug!(target: "weir::kafka", %error, "leaving the group");
            }
        }
    }
}

fn list_of(topic: &str, tasks: &[u32]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(tasks.len());
    for &task in tasks {
        // An offset of its own spares librdkafka the question for it.
        list.add_partition_offset(topic, raw(task), Offset::Offset(0))
            .expect("0 is an offset");
    }
    list
}

/// Takes the partitions, and never fetches from them: they are empty.
fn follow_assign(
    consumer: &BaseConsumer<Rebalances>,
    list: &TopicPartitionList,
) -> Result<(), KafkaError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list)?,
        _ => consumer.assign(list)?,
    }
    if list.count() > 0 {
        consumer.pause(list)
    } else {
        Ok(())
    }
}

fn follow_revoke(
    consumer: &BaseConsumer<Rebalances>,
    list: &TopicPartitionList,
) -> Result<(), KafkaError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        _ => consumer.unassign(),
    }
}
