//! The ground that all runs of a benchmark share: one broker and the topics that were loaded into
//! it.
//!
//! A topic is loaded when the first run asks for it, and stays: contenders read the same rows. What
//! a run leaves behind is removed before the next begins.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Context as _;
use weir_tests::{Broker, Client};

use crate::contender::Job;
use crate::kafka;
use crate::rows::{Body, Rows};

/// The topic that a contender writes to, new for each run.
pub(crate) const OUTPUT: &str = "bench-out";

/// A topic that is loaded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    /// Rows of 100 B.
    Small,
    /// Rows of 1 KB.
    Large,
    /// JSON documents.
    Lines,
    /// Rows of 100 B under a million keys.
    Keys,
    /// Rows of 100 B, a millisecond of event time apart, under 100,000 keys.
    Minutes,
    /// Of each of these keys one row, older than all [`Self::Minutes`].
    Table,
}

impl Input {
    /// The topic.
    pub(crate) fn topic(self) -> &'static str {
        match self {
            Self::Small => "bench-small",
            Self::Large => "bench-large",
            Self::Lines => "bench-lines",
            Self::Keys => "bench-keys",
            Self::Minutes => "bench-minutes",
            Self::Table => "bench-table",
        }
    }

    /// Its rows; `scale` is a percentage of the full number, `now_ms` is when the last one happens.
    fn rows(self, scale: u64, now_ms: i64) -> Rows {
        let million = 10_000 * scale;
        let (count, keys, size, step_us) = match self {
            Self::Small => (4 * million, 1_000_000, 100, 10),
            Self::Large => (million, 1_000_000, 1000, 10),
            Self::Lines => (2 * million, 1_000_000, 0, 10),
            Self::Keys => (2 * million, 1_000_000, 100, 10),
            Self::Minutes => (2 * million, 100_000, 100, 1000),
            Self::Table => (100_000, 100_000, 100, 10),
        };
        let age_ms = if self == Self::Table { 86_400_000 } else { 0 };
        Rows {
            count,
            keys,
            body: match self {
                Self::Lines => Body::Json,
                _ => Body::Bytes(size),
            },
            first_ms: now_ms - age_ms - (count * step_us / 1000).cast_signed(),
            step_us,
        }
    }
}

/// A broker that has nothing else to do.
pub(crate) struct Ground {
    broker: Broker,
    client: Client,
    scale: u64,
    loaded: BTreeMap<Input, Rows>,
    runs: u32,
}

impl Ground {
    /// `scale`: how many percent of the full number of rows are run.
    pub(crate) fn new(broker: Broker, scale: u64) -> Self {
        Self {
            client: broker.client(),
            broker,
            scale,
            loaded: BTreeMap::new(),
            runs: 0,
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A job on this broker: one service that commits each 100 ms.
    pub(crate) fn job(&self, workload: &'static str, id: &str, input: &'static str) -> Job {
        Job {
            bootstrap: self.broker.bootstrap(),
            workload,
            id: id.to_owned(),
            input,
            output: OUTPUT,
            table: Input::Table.topic(),
            commit_ms: 100,
            copies: 1,
        }
    }

    /// So many percent of `full`, at least 1.
    pub(crate) fn scaled(&self, full: u64) -> u64 {
        (full * self.scale / 100).max(1)
    }

    /// The rows of an input, loaded if they are not yet.
    pub(crate) fn load(&mut self, input: Input) -> anyhow::Result<Rows> {
        if let Some(rows) = self.loaded.get(&input) {
            return Ok(rows.clone());
        }
        let rows = input.rows(self.scale, now_ms()?);
        eprintln!("bench: loading {} rows into {}", rows.count, input.topic());
        self.client
            .create_topic(input.topic(), kafka::PARTITIONS, &[]);
        kafka::fill(&self.client, input.topic(), &rows)
            .with_context(|| format!("loading {}", input.topic()))?;
        self.loaded.insert(input, rows.clone());
        Ok(rows)
    }

    /// Removes what the run before has left on the broker; a name for the next one's service, new
    /// each time.
    pub(crate) fn clear(&mut self) -> anyhow::Result<String> {
        let kept: Vec<_> = self.loaded.keys().map(|it| it.topic().to_owned()).collect();
        kafka::drop_topics_but(&self.client, &kept)?;
        self.runs += 1;
        Ok(format!("bench-run-{}", self.runs))
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> anyhow::Result<i64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_older_than_the_stream_and_holds_each_key_once() {
        let (stream, table) = (Input::Minutes.rows(100, 0), Input::Table.rows(100, 0));
        assert!(table.timestamp_ms(table.count) < stream.timestamp_ms(0));
        assert_eq!(table.count, table.keys);
        assert_eq!(table.keys, stream.keys);
    }

    #[test]
    fn the_last_row_of_an_input_happens_now() {
        let rows = Input::Small.rows(10, 1_000_000);
        assert_eq!(rows.count, 400_000);
        assert_eq!(rows.timestamp_ms(rows.count), 1_000_000);
    }
}
