//! `weir bench`: one workload as a contender in a benchmark.

use std::path::PathBuf;
use std::time::Duration;

use super::shutdown;
use crate::bench::{self, Run};
use crate::config::{Config, Settings};
use crate::inspect;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// passthrough, count, count-cached, latest, join, window, or orders (until SIGTERM).
    workload: String,
    /// The brokers.
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    bootstrap: String,
    /// The topic that is read.
    #[arg(long = "in", default_value = "in", value_name = "TOPIC")]
    input: String,
    /// The topic that is written.
    #[arg(long = "out", default_value = "out", value_name = "TOPIC")]
    output: String,
    /// The table of a join.
    #[arg(long, default_value = "table", value_name = "TOPIC")]
    table: String,
    /// The service's name; for `orders` the beginning of all names.
    #[arg(long, default_value = "bench", value_name = "NAME")]
    id: String,
    /// The folder of the stores.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Rows after which it ends; 0: it does not.
    #[arg(long, default_value_t = 0)]
    records: u64,
    /// Rows before the clock starts.
    #[arg(long, default_value_t = 0)]
    warmup: u64,
    /// Gives up after so many milliseconds without a row; 0: never.
    #[arg(long, default_value_t = 60_000)]
    idle_ms: u64,
    /// A transaction ends at the latest after so many milliseconds.
    #[arg(long, default_value_t = 100)]
    commit_ms: u64,
    /// Workers of each service.
    #[arg(long, default_value_t = 1)]
    threads: u32,
    /// Taken and not used: the overlay is the cache, and every update goes out.
    #[arg(long, default_value_t = 0)]
    cache_mb: u64,
    /// A property of librdkafka.
    #[arg(long, value_name = "KEY=VALUE", value_parser = inspect::key_value)]
    set: Vec<(String, String)>,
    /// The contender, as the result names it.
    #[arg(long, default_value = "weir")]
    contender: String,
    /// The label of the result. Default: the workload.
    #[arg(long)]
    scenario: Option<String>,
    /// Taken and not used.
    #[arg(long, default_value_t = 0)]
    verbose: u32,
    /// The folder of components that `cargo xtask guests` fills.
    #[arg(
        long,
        env = "WEIR_COMPONENTS",
        hide_env_values = true,
        value_name = "DIR"
    )]
    components: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let scenario = self.scenario.unwrap_or_else(|| self.workload.clone());
        let settings = Settings {
            workers: self.threads,
            commit_interval: Duration::from_millis(self.commit_ms),
            ..Settings::default()
        };
        let config = Config {
            cluster: self.id.clone(),
            brokers: self.bootstrap,
            state: self.state,
            kafka: self.set.into_iter().collect(),
            defaults: settings,
            ..Config::default()
        };
        let run = Run {
            workload: self.workload,
            components: self.components,
            topics: [self.input, self.output, self.table],
            id: self.id,
            records: self.records,
            warmup: self.warmup,
            idle: Duration::from_millis(self.idle_ms),
            contender: self.contender,
            scenario,
        };
        let runtime = tokio::runtime::Runtime::new()?;
        let line = runtime.block_on(bench::run(run, config, shutdown::requested()))?;
        super::print(&format!("{line}\n"))
    }
}
