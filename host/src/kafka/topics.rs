//! Topics: what is known of those of others, and how our own are made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::{
    AdminOptions, ConfigResource, NewPartitions, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::Offset;
use weir_core::task::Position;
use weir_core::topology::{InternalKind, InternalTopic, TopicFacts};

use super::cluster::{Cluster, wait};
use super::error::Error;

/// How a topic of our own is cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing goes by itself.
    Never,
    /// The last row of each key stays.
    Compact,
    /// The same, and rows go when they are as old as this, in milliseconds.
    CompactAndDelete {
        /// Age at which rows go.
        retention_ms: i64,
    },
    /// As the brokers do by default.
    Default,
}

/// A topic that weir makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name, in full.
    pub name: String,
    /// How many partitions it shall have.
    pub partitions: u32,
    /// How it is cleaned.
    pub cleanup: Cleanup,
    /// Whether more partitions may be added to one that exists; else another count is an error.
    pub grows: bool,
}

/// A changelog keeps windows this much longer than their store, as in Kafka Streams.
const RETENTION_MARGIN_MS: i64 = 24 * 60 * 60 * 1000;

impl Topic {
    /// Of which each partition stands for a task; never written.
    pub fn tasks(service: &str, tasks: u32) -> Topic {
        let name = format!("{service}-tasks");
        Topic {
            name,
            partitions: tasks.max(1),
            cleanup: Cleanup::Default,
            grows: true,
        }
    }

    /// Where rows go that failed.
    pub fn dead_letters(service: &str, partitions: u32) -> Topic {
        let name = format!("{service}.dead-letters");
        Topic {
            name,
            partitions: partitions.max(1),
            cleanup: Cleanup::Default,
            grows: true,
        }
    }

    /// The last row of each key.
    pub fn compacted(name: impl Into<String>, partitions: u32) -> Topic {
        Topic {
            name: name.into(),
            partitions,
            cleanup: Cleanup::Compact,
            grows: false,
        }
    }

    fn config(&self) -> Vec<(&'static str, String)> {
        // Our own rows carry whatever time their cause had.
        let mut config = vec![
            ("message.timestamp.type", "CreateTime".to_owned()),
            ("message.timestamp.after.max.ms", i64::MAX.to_string()),
        ];
        match self.cleanup {
            Cleanup::Default => {}
            Cleanup::Never => {
                config.push(("cleanup.policy", "delete".to_owned()));
                config.push(("retention.ms", "-1".to_owned()));
                config.push(("retention.bytes", "-1".to_owned()));
            }
            Cleanup::Compact => config.push(("cleanup.policy", "compact".to_owned())),
            Cleanup::CompactAndDelete { retention_ms } => {
                config.push(("cleanup.policy", "compact,delete".to_owned()));
                config.push(("retention.ms", retention_ms.to_string()));
            }
        }
        config
    }
}

impl From<&InternalTopic> for Topic {
    fn from(topic: &InternalTopic) -> Topic {
        let cleanup = match topic.kind {
            InternalKind::Repartition => Cleanup::Never,
            InternalKind::Changelog {
                window_retention_ms: None,
            } => Cleanup::Compact,
            InternalKind::Changelog {
                window_retention_ms: Some(kept),
            } => Cleanup::CompactAndDelete {
                retention_ms: kept.saturating_add(RETENTION_MARGIN_MS),
            },
        };
        Topic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            cleanup,
            grows: false,
        }
    }
}

impl Cluster {
    /// What the engine must know of these topics; those that do not exist are left out. Two
    /// requests.
    pub fn describe<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, TopicFacts>, Error> {
        let mut counts = self.partitions()?;
        let wanted: BTreeSet<&str> = topics.into_iter().collect();
        counts.retain(|name, count| wanted.contains(name.as_str()) && *count > 0);
        if counts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let resources: Vec<_> = counts
            .keys()
            .map(|name| ResourceSpecifier::Topic(name))
            .collect();
        let request = self.admin.describe_configs(&resources, &self.options());
        let described = self.answer("describing topics", request)?;
        let mut facts = BTreeMap::new();
        for resource in described {
            let resource = resource.map_err(|code| Error::of_code("describing topics", code))?;
            if let OwnedResourceSpecifier::Topic(name) = &resource.specifier
                && let Some(partitions) = counts.get(name)
            {
                facts.insert(name.clone(), facts_of(*partitions, &resource));
            }
        }
        Ok(facts)
    }

    /// How many partitions each topic has; 0 while one has no leader yet. One request.
    pub fn partitions(&self) -> Result<BTreeMap<String, u32>, Error> {
        let metadata = (self.observer)
            .fetch_metadata(None, self.settings().request_timeout)
            .map_err(|error| {
                self.explained("listing topics", Error::of("listing topics", &error))
            })?;
        let topics = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none());
        let counted = topics.map(|topic| {
            let led = topic
                .partitions()
                .iter()
                .all(|partition| partition.leader() >= 0);
            let count = u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX);
            (topic.name().to_owned(), if led { count } else { 0 })
        });
        Ok(counted.collect())
    }

    /// Makes the topics that are missing and waits until all of them are there on the brokers
    /// (Kafka refuses new ones for some 75 ms). Errors: a topic that exists with another number of
    /// partitions and may not grow, or has more than wanted.
    pub fn ensure(&self, topics: &[Topic]) -> Result<(), Error> {
        let deadline = Instant::now() + self.settings().request_timeout;
        let there = self.partitions()?;
        let missing: Vec<&Topic> = topics
            .iter()
            .filter(|t| !there.contains_key(&t.name))
            .collect();
        self.create(&missing)?;
        let mut growing = Vec::new();
        for topic in topics {
            match there.get(&topic.name) {
                Some(&count) if count > 0 && count < topic.partitions && topic.grows => {
                    growing.push(topic)
                }
                Some(&count) if count > 0 && count != topic.partitions && !topic.grows => {
                    return Err(Error::Refused {
                        doing: format!("making topic `{}`", topic.name),
                        reason: format!(
                            "it exists with {count} partitions, and {} are needed; \
                             reset the service, or delete it",
                            topic.partitions
                        ),
                    });
                }
                _ => {}
            }
        }
        self.grow(&growing)?;
        loop {
            let there = self.partitions()?;
            let Some(late) = topics
                .iter()
                .find(|t| there.get(&t.name).is_none_or(|&count| count < t.partitions))
            else {
                return Ok(());
            };
            if Instant::now() > deadline {
                return Err(Error::Unreachable {
                    doing: format!("making topic `{}`", late.name),
                    reason: "it has no leader yet".to_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Deletes the rows before these offsets, e.g. what was read of a repartition topic. One
    /// request a broker.
    pub fn delete_before(&self, positions: &[Position]) -> Result<(), Error> {
        const DOING: &str = "deleting rows that were read";
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for position in positions {
            let partition = super::lanes::raw(position.partition);
            list.add_partition_offset(&position.topic, partition, Offset::Offset(position.offset))
                .map_err(|error| Error::of(DOING, &error))?;
        }
        let deleted = self.answer(DOING, self.admin.delete_records(&list, &self.options()))?;
        let failed = deleted
            .elements()
            .into_iter()
            .find_map(|element| element.error().err());
        failed.map_or(Ok(()), |error| Err(Error::of(DOING, &error)))
    }

    /// Deletes topics; those that do not exist are no error.
    pub fn delete(&self, topics: &[&str]) -> Result<(), Error> {
        const DOING: &str = "deleting topics";
        let results = self.answer(DOING, self.admin.delete_topics(topics, &self.options()))?;
        unless(DOING, results, Code::UnknownTopicOrPartition)
    }

    fn create(&self, topics: &[&Topic]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        const DOING: &str = "making topics";
        let configs: Vec<_> = topics.iter().map(|topic| topic.config()).collect();
        let new: Vec<NewTopic<'_>> = (topics.iter().zip(&configs))
            .map(|(topic, config)| {
                let copies = TopicReplication::Fixed(self.settings().replication);
                let mut new =
                    NewTopic::new(&topic.name, super::lanes::raw(topic.partitions), copies);
                new.config = config
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                new
            })
            .collect();
        let results = self.answer(DOING, self.admin.create_topics(&new, &self.options()))?;
        // Another host may have been faster.
        unless(DOING, results, Code::TopicAlreadyExists)
    }

    fn grow(&self, topics: &[&Topic]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        const DOING: &str = "adding partitions";
        let new: Vec<NewPartitions<'_>> = topics
            .iter()
            .map(|topic| NewPartitions::new(&topic.name, topic.partitions as usize))
            .collect();
        let results = self.answer(DOING, self.admin.create_partitions(&new, &self.options()))?;
        unless(DOING, results, Code::InvalidPartitions)
    }

    fn options(&self) -> AdminOptions {
        let timeout = self.settings().request_timeout;
        AdminOptions::new()
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout))
    }

    fn answer<T>(
        &self,
        doing: &str,
        request: impl Future<Output = KafkaResult<T>>,
    ) -> Result<T, Error> {
        // librdkafka answers within the request's own time-out; the second more is for a machine
        // that is slow.
        match wait(
            request,
            self.settings().request_timeout + Duration::from_secs(1),
        ) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(rdkafka::error::KafkaError::AdminOp(code))) => {
                Err(self.explained(doing, Error::of_code(doing, code)))
            }
            Some(Err(error)) => Err(self.explained(doing, Error::of(doing, &error))),
            None => Err(self.explained(doing, Error::of_code(doing, Code::OperationTimedOut))),
        }
    }

    /// A time-out, with what librdkafka last said of the brokers.
    fn explained(&self, doing: &str, error: Error) -> Error {
        match (error, self.observer.client().context().trouble()) {
            (Error::Unreachable { reason, .. }, Some(trouble)) => Error::Unreachable {
                doing: doing.to_owned(),
                reason: format!("{reason}: {trouble}"),
            },
            (error, _) => error,
        }
    }
}

fn unless(doing: &str, results: Vec<TopicResult>, harmless: Code) -> Result<(), Error> {
    let failed = results
        .into_iter()
        .filter_map(Result::err)
        .find(|(_, code)| *code != harmless);
    failed.map_or(Ok(()), |(topic, code)| {
        Err(Error::of_code(format!("{doing}: `{topic}`"), code))
    })
}

fn facts_of(partitions: u32, resource: &ConfigResource) -> TopicFacts {
    let value = |name: &str| resource.get(name).and_then(|entry| entry.value.as_deref());
    let policy = value("cleanup.policy").unwrap_or("delete");
    // Kafka before 3.6 has one limit for both directions.
    let ahead = value("message.timestamp.after.max.ms")
        .or_else(|| value("message.timestamp.difference.max.ms"))
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|&limit| limit < i64::MAX);
    let of_the_broker = value("message.timestamp.type") == Some("LogAppendTime");
    TopicFacts {
        partitions,
        max_message_bytes: value("max.message.bytes")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1_048_588),
        compacted: policy.contains("compact") && !policy.contains("delete"),
        max_ahead_ms: ahead.filter(|_| !of_the_broker),
    }
}
