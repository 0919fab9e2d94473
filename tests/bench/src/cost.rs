//! What a contender costs, seen from outside: CPU time and memory of its process.
//!
//! All contenders are measured by the same clock on the same signal: what their group has
//! committed. None of them measures itself.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// A running process of Linux.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// User and system time of all its threads so far, in steps of 10 ms.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        ticks(&stat)
            // A tick is 10 ms on Linux, whatever the kernel's own rate is.
            .map(|ticks| Duration::from_millis(10 * ticks))
            .with_context(|| format!("the times of process {}", self.pid))
    }

    /// The memory that it has now, in kB.
    pub(crate) fn rss_kb(self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that it has had, in kB.
    pub(crate) fn peak_rss_kb(self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(self, field: &str) -> anyhow::Result<u64> {
        let status = self.read("status")?;
        kilobytes(&status, field).with_context(|| format!("{field} of process {}", self.pid))
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.pid);
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

/// Fields 14 and 15 of `/proc/PID/stat`. The name before them may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn kilobytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The part of a run that counts: from the first moment at which the warm-up was committed to the
/// last commit.
///
/// Both ends are commits, so rows, wall and CPU time belong together whatever the commit interval.
pub(crate) struct Stopwatch {
    warmup: u64,
    from: Option<Moment>,
    to: Moment,
}

/// A moment, what was committed and what it had cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) rows: u64,
    pub(crate) cpu: Duration,
}

/// What the part that counts came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) rows: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

impl Stopwatch {
    /// Starts once `warmup` rows are committed.
    pub(crate) fn new(warmup: u64, now: Moment) -> Self {
        Self {
            warmup,
            from: None,
            to: now,
        }
    }

    /// Takes a look at the contender; how long there has been nothing new.
    pub(crate) fn look(&mut self, now: Moment) -> Duration {
        if now.rows != self.to.rows {
            self.to = now;
            if now.rows >= self.warmup {
                self.from.get_or_insert(now);
            }
        }
        now.at - self.to.at
    }

    /// The result; `None` while there is no second commit after the warm-up.
    pub(crate) fn cost(&self) -> Option<Cost> {
        let from = self.from.filter(|from| from.rows < self.to.rows)?;
        Some(Cost {
            rows: self.to.rows - from.rows,
            wall: self.to.at - from.at,
            cpu: self.to.cpu.saturating_sub(from.cpu),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_times() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 2 0 0 0 31 11 0 0 20 0 1";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn memory_is_read_by_the_name_of_its_field() {
        let status = "Name:\tweir\nVmHWM:\t   1234 kB\nVmRSS:\t    99 kB\n";
        assert_eq!(kilobytes(status, "VmHWM:"), Some(1234));
        assert_eq!(kilobytes(status, "VmRSS:"), Some(99));
        assert_eq!(kilobytes(status, "VmLck:"), None);
    }

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let own = Process::new(std::process::id());
        // In this order: both grow.
        let now = own.rss_kb().unwrap();
        assert!(own.peak_rss_kb().unwrap() >= now);
        let before = own.cpu().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(own.rss_kb().unwrap());
        }
        assert!(own.cpu().unwrap() > before);
    }

    #[test]
    fn the_clock_runs_from_the_first_commit_after_the_warm_up_to_the_last() {
        let zero = Instant::now();
        let moment = |ms: u64, rows| Moment {
            at: zero + Duration::from_millis(ms),
            rows,
            cpu: Duration::from_millis(ms / 2),
        };
        let mut watch = Stopwatch::new(100, moment(0, 0));
        watch.look(moment(10, 40));
        assert_eq!(watch.cost(), None);
        watch.look(moment(20, 110));
        assert_eq!(watch.cost(), None);
        watch.look(moment(30, 110)); // nothing new: the clock stays at 20 ms
        assert_eq!(watch.look(moment(50, 110)), Duration::from_millis(30));
        watch.look(moment(60, 200));
        watch.look(moment(90, 200));
        let cost = watch.cost().unwrap();
        assert_eq!((cost.rows, cost.wall), (90, Duration::from_millis(40)));
        assert_eq!(cost.cpu, Duration::from_millis(20));
    }
}
