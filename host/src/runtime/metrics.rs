//! Everything that a host counts, each thing named here once: name, unit, labels, meaning.

use std::sync::OnceLock;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const ROWS: &str = "weir_rows_read_total";
const PRODUCED: &str = "weir_rows_written_total";
const DEAD_LETTERS: &str = "weir_rows_failed_total";
const DROPPED: &str = "weir_rows_dropped_total";
const COMMITS: &str = "weir_commits_total";
const ABORTS: &str = "weir_aborts_total";
const COMMIT_SECONDS: &str = "weir_commit_seconds";
const RESTORED: &str = "weir_rows_restored_total";
const RESTARTS: &str = "weir_worker_restarts_total";
const SWAPS: &str = "weir_swaps_total";
const TASKS: &str = "weir_tasks";
const REQUESTS: &str = "weir_requests_total";
const LOOKS: &str = "weir_query_looks_total";
const WAITING: &str = "weir_queries_waiting";
const RUNNING: &str = "weir_service_running";

/// Seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// The process's metrics in Prometheus' text format.
pub(super) fn render() -> String {
    recorder().map_or_else(String::new, PrometheusHandle::render)
}

/// Installs the recorder, once a process; `None` where someone else's is installed.
pub(super) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let matcher = Matcher::Full(COMMIT_SECONDS.to_owned());
            let builder = builder.set_buckets_for_metric(matcher, &BUCKETS).ok()?;
            let handle = builder.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    describe_counter!(ROWS, Unit::Count, "Rows that tasks have read and handled.");
    describe_counter!(
        PRODUCED,
        Unit::Count,
        "Rows written to topics, changelogs excluded, aborted ones included."
    );
    describe_counter!(
        DEAD_LETTERS,
        Unit::Count,
        "Rows that failed: dead letters, or skipped."
    );
    describe_counter!(
        DROPPED,
        Unit::Count,
        "Rows that operators passed over, by reason."
    );
    describe_counter!(COMMITS, Unit::Count, "Transactions that have committed.");
    describe_counter!(
        ABORTS,
        Unit::Count,
        "Transactions that were aborted; each rebalance may cause some."
    );
    describe_histogram!(
        COMMIT_SECONDS,
        Unit::Seconds,
        "How long it took to end a transaction."
    );
    describe_counter!(
        RESTORED,
        Unit::Count,
        "Changelog rows read to restore stores."
    );
    describe_counter!(
        RESTARTS,
        Unit::Count,
        "Times that a worker had to make its Kafka clients anew."
    );
    describe_counter!(
        SWAPS,
        Unit::Count,
        "Versions that took the place of another without a stop."
    );
    describe_gauge!(TASKS, Unit::Count, "Tasks that run on this host.");
    describe_counter!(
        REQUESTS,
        Unit::Count,
        "Requests that this host answered, by kind: command or query."
    );
    describe_counter!(
        LOOKS,
        Unit::Count,
        "Times that a query was asked; more than queries, since they wait."
    );
    describe_gauge!(
        WAITING,
        Unit::Count,
        "Queries that wait for a key to change."
    );
    describe_gauge!(
        RUNNING,
        Unit::Count,
        "1 while all workers of the service are at work, else 0."
    );
}

/// The meters of one service. All are labelled with its name.
pub(super) struct Meters {
    service: String,
    pub(super) rows: Counter,
    pub(super) produced: Counter,
    pub(super) failed: Counter,
    pub(super) commits: Counter,
    pub(super) aborts: Counter,
    pub(super) commit_seconds: Histogram,
    pub(super) restored: Counter,
    pub(super) restarts: Counter,
    pub(super) swaps: Counter,
    pub(super) tasks: Gauge,
    pub(super) commands: Counter,
    pub(super) queries: Counter,
    pub(super) looks: Counter,
    pub(super) waiting: Gauge,
    pub(super) running: Gauge,
}

impl Meters {
    pub(super) fn of(service: &str) -> Meters {
        let _installed = recorder();
        let name = || service.to_owned();
        Meters {
            service: name(),
            rows: counter!(ROWS, "service" => name()),
            produced: counter!(PRODUCED, "service" => name()),
            failed: counter!(DEAD_LETTERS, "service" => name()),
            commits: counter!(COMMITS, "service" => name()),
            aborts: counter!(ABORTS, "service" => name()),
            commit_seconds: histogram!(COMMIT_SECONDS, "service" => name()),
            restored: counter!(RESTORED, "service" => name()),
            restarts: counter!(RESTARTS, "service" => name()),
            swaps: counter!(SWAPS, "service" => name()),
            tasks: gauge!(TASKS, "service" => name()),
            commands: counter!(REQUESTS, "service" => name(), "kind" => "command"),
            queries: counter!(REQUESTS, "service" => name(), "kind" => "query"),
            looks: counter!(LOOKS, "service" => name()),
            waiting: gauge!(WAITING, "service" => name()),
            running: gauge!(RUNNING, "service" => name()),
        }
    }

    /// Rows that a node passed over.
    pub(super) fn dropped(&self, node: &str, reason: &str, rows: u64) {
        let labels = [
            ("service", self.service.clone()),
            ("node", node.to_owned()),
            ("reason", reason.to_owned()),
        ];
        counter!(DROPPED, &labels).increment(rows);
    }
}
