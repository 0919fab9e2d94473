//! What one run came to: its measures, and whether its output was right. One JSON line each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cost::{Cost, Process};
use crate::verify::Verdict;

/// The measures of a run. Which are there depends on the scenario.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// Rows in the part that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wall_s: Option<f64>,
    /// User and system time of the contender's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_s_per_million: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
    /// The most memory that the contender's processes have had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_rss_mb: Option<f64>,
    /// From the start of the process to its first commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_s: Option<f64>,
    /// From the start after a kill to the first new row that others can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restart_s: Option<f64>,
    /// State on disk, when it was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_mb: Option<f64>,
    /// The longest time between two rows of the output around a swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gap_ms: Option<f64>,
    /// The same before it: what a commit interval makes of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usual_gap_ms: Option<f64>,
    /// Services that did nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) services: Option<u64>,
    /// Memory of all processes by the number of services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_mb_per_service: Option<f64>,
    /// Percent of a core, of all processes, by the number of services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_percent_per_service: Option<f64>,
    /// What the verifier found; missing where there is no output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<Verdict>,
}

impl Outcome {
    /// Whether it may be compared with others.
    pub(crate) fn is_right(&self) -> bool {
        self.verdict.is_none_or(|verdict| verdict.is_right())
    }

    /// With what the measured part cost.
    pub(crate) fn with_cost(mut self, cost: &Cost) -> Self {
        let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
        let rows = cost.rows as f64;
        self.records = Some(cost.rows);
        self.wall_s = Some(rounded(wall));
        self.cpu_s = Some(rounded(cpu));
        self.records_per_s = Some((rows / wall.max(1e-9)).round());
        self.cpu_s_per_million = Some(rounded(cpu * 1e6 / rows.max(1.0)));
        self
    }

    /// With the median and the 99th percentile of these times.
    pub(crate) fn with_latencies(mut self, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let percentile = |percent: usize| {
            let place = (latencies.len().saturating_sub(1) * percent).div_ceil(100);
            latencies
                .get(place)
                .map(|it| rounded(it.as_secs_f64() * 1e3))
        };
        self.p50_ms = percentile(50);
        self.p99_ms = percentile(99);
        self
    }

    /// With the most memory that the process has had so far.
    pub(crate) fn with_peak_rss(mut self, process: Process) -> anyhow::Result<Self> {
        self.peak_rss_mb = Some(megabytes(process.peak_rss_kb()?));
        Ok(self)
    }
}

/// MB of so many kB.
pub(crate) fn megabytes(kilobytes: u64) -> f64 {
    rounded(kilobytes as f64 / 1024.0)
}

/// To three digits after the point.
pub(crate) fn rounded(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_cost_is_told_by_the_second_and_by_the_million() {
        let outcome = Outcome::default().with_cost(&Cost {
            rows: 500_000,
            wall: Duration::from_secs(2),
            cpu: Duration::from_secs(1),
        });
        assert_eq!(outcome.records_per_s, Some(250_000.0));
        assert_eq!(outcome.cpu_s_per_million, Some(2.0));
    }

    #[test]
    fn percentiles_are_times_that_occurred() {
        let of = |n: u64| {
            let outcome = Outcome::default()
                .with_latencies((1..=n).rev().map(Duration::from_millis).collect());
            (outcome.p50_ms, outcome.p99_ms)
        };
        assert_eq!(of(0), (None, None));
        assert_eq!(of(1), (Some(1.0), Some(1.0)));
        assert_eq!(of(101), (Some(51.0), Some(100.0)));
    }

    #[test]
    fn a_line_holds_what_was_measured_and_nothing_else() {
        let outcome = Outcome {
            gap_ms: Some(12.5),
            verdict: Some(Verdict {
                rows: 3,
                doubled: 1,
                ..Verdict::default()
            }),
            ..Outcome::default()
        };
        assert!(!outcome.is_right());
        let line = serde_json::to_string(&outcome).unwrap();
        assert_eq!(
            line,
            r#"{"gap_ms":12.5,"verdict":{"rows":3,"missing":0,"doubled":1,"wrong":0}}"#
        );
        assert_eq!(serde_json::from_str::<Outcome>(&line).unwrap(), outcome);
    }
}
