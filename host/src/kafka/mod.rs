//! The door to Kafka: the only place that knows rdkafka.
//!
//! Everything blocks, and belongs to plain threads. A host has one [`Cluster`] for questions and
//! topics; a worker has a [`Membership`] (which tasks are mine?), a [`Source`] (their rows), a
//! [`Reader`] for each thing that it reads whole (changelogs, global tables), and one [`Producer`],
//! whose transactions hold outputs, changelogs and positions together. Clients wake the worker
//! through a [`Wake`], so that it may sleep in one place.

mod append;
mod cluster;
mod context;
mod error;
mod flusher;
mod lanes;
mod leave;
mod membership;
mod presence;
mod producer;
mod publisher;
mod queue;
mod reader;
mod refusal;
mod settings;
mod source;
mod topics;

pub use cluster::Cluster;
pub use context::Wake;
pub use error::Error;
pub use lanes::{Partition, Rows};
pub use membership::{Event, GroupMetadata, Membership};
pub use presence::Presence;
pub use producer::{Ends, Partitioning, Producer};
pub use publisher::Publisher;
pub use reader::Reader;
pub use refusal::refusal;
pub use settings::Settings;
pub use source::{Committed, Source};
pub use topics::{Cleanup, Topic};
