//! What a run costs: wall and CPU time from the first row after the warm-up to the last.

use std::time::{Duration, Instant};

/// A running measurement of this process.
pub(super) struct Meter {
    warmup: u64,
    began: Instant,
    first: Option<Mark>,
    start: Option<Mark>,
    last: Mark,
    rows: u64,
}

/// A moment, and the CPU time used until then.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    cpu: Duration,
    rows: u64,
}

impl Mark {
    fn now(rows: u64) -> Mark {
        Mark {
            at: Instant::now(),
            cpu: cpu(),
            rows,
        }
    }
}

impl Meter {
    pub(super) fn start(warmup: u64) -> Meter {
        let last = Mark::now(0);
        Meter {
            warmup,
            began: Instant::now(),
            first: None,
            start: None,
            last,
            rows: 0,
        }
    }

    /// Takes the number of rows so far; how long it has been the same.
    pub(super) fn look(&mut self, rows: u64) -> Duration {
        if rows != self.rows {
            self.rows = rows;
            self.last = Mark::now(rows);
            self.first.get_or_insert(self.last);
            if rows >= self.warmup {
                self.start.get_or_insert(self.last);
            }
        }
        self.last.at.elapsed()
    }

    /// The result as a line of JSON.
    pub(super) fn line(&self, contender: &str, scenario: &str) -> String {
        let start = self.start.unwrap_or(self.last);
        let records = self.last.rows.saturating_sub(start.rows);
        let wall = (self.last.at - start.at).as_secs_f64().max(1e-9);
        let cpu_s = (self.last.cpu - start.cpu).as_secs_f64().max(1e-9);
        let startup = self
            .first
            .map_or(Duration::ZERO, |first| first.at - self.began);
        let n = records as f64;
        serde_json::json!({
            "contender": contender, "scenario": scenario, "records": records,
            "wall_s": round(wall), "cpu_s": round(cpu_s),
            "records_per_s": (n / wall).round(), "records_per_cpu_s": (n / cpu_s).round(),
            "cpu_s_per_million": round(cpu_s * 1e6 / n.max(1.0)),
            "startup_s": round(startup.as_secs_f64()), "process_cpu_s": round(cpu().as_secs_f64()),
            "max_rss_mb": max_rss_mb(),
        })
        .to_string()
    }
}

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// User and system time of all threads of this process, in nanoseconds where the kernel tells them.
fn cpu() -> Duration {
    let tasks = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = tasks.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
    // A tick is 10 ms on Linux, whatever the kernel's own rate is.
    Duration::from_millis(10 * (ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)))
}

/// The most memory that this process has had, in MB.
fn max_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
