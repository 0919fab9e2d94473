//! `weir bench`: one workload, run as a contender in a benchmark, and what it cost as a line of
//! JSON.
//!
//! The clock runs from the middle of the input (`warmup` rows) to its end. Rows are counted by the
//! metric that operators read; wall and CPU time are those of this process.

mod meter;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use crate::config::{Config, Service, Settings};
use crate::daemon::{Before, Daemon, Refused};
use crate::demo;
use crate::http::Gateway;
use meter::Meter;

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What is run: `orders` are the six services of the order system, all else is a topology of
    /// the component `bench`.
    pub workload: String,
    /// Where the components are.
    pub components: PathBuf,
    /// Input, output and table.
    pub topics: [String; 3],
    /// The service's name, or the beginning of the names of all.
    pub id: String,
    /// Rows after which it ends; 0: it ends when it is told to.
    pub records: u64,
    /// Rows before the clock starts.
    pub warmup: u64,
    /// Ends after so long without a row; zero: never.
    pub idle: Duration,
    /// What the result is labelled with.
    pub contender: String,
    /// What the result is labelled with.
    pub scenario: String,
}

/// Runs the workload until all rows were read, nothing came for `idle`, or `stop` is done; returns
/// the line of JSON.
pub async fn run(
    run: Run,
    mut config: Config,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<String> {
    config.http = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    config.services = services(&run, &config.defaults);
    let mut meter = Meter::start(run.warmup);
    let before: Before = Arc::new(|_, _, _| Ok(()));
    let daemon = Daemon::start(&config, &before, Refused::Ends).await?;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        let rows = rows_read(&daemon.host().metrics());
        let idle = meter.look(rows);
        if run.records > 0 && rows >= run.records {
            break;
        }
        if !run.idle.is_zero() && idle > run.idle {
            let readiness = daemon.host().readiness();
            daemon.stop().await?;
            bail!(
                "no row for {} s: {:?}",
                run.idle.as_secs(),
                readiness.report
            );
        }
    }
    meter.look(rows_read(&daemon.host().metrics()));
    let line = meter.line(&run.contender, &run.scenario);
    daemon.stop().await?;
    Ok(line)
}

/// The services of a workload, by name.
fn services(run: &Run, settings: &Settings) -> BTreeMap<String, Service> {
    if run.workload == "orders" {
        let service = |name: &str| {
            let path = run.components.join(format!("{name}.wasm"));
            let service = Service {
                component: Some(path),
                settings: settings.clone(),
            };
            (format!("{}-{name}", run.id), service)
        };
        return demo::SERVICES.into_iter().map(service).collect();
    }
    let [input, output, table] = &run.topics;
    let mut settings = settings.clone();
    let config = [
        ("workload", &run.workload),
        ("in", input),
        ("out", output),
        ("table", table),
    ];
    settings.config = config
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.clone()))
        .collect();
    let component = Some(run.components.join("tests/bench.wasm"));
    BTreeMap::from([(
        run.id.clone(),
        Service {
            component,
            settings,
        },
    )])
}

/// Rows that all services have read, from the host's own metrics.
fn rows_read(metrics: &str) -> u64 {
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("weir_rows_read_total{"));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
