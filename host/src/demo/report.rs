//! What became of the orders: the table that the demo prints.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::mix::Kind;

/// One order's way through the system.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) kind: Kind,
    /// What differed from what was expected; `None`: nothing.
    pub(super) surprise: Option<String>,
    /// From the `POST` to its answer.
    pub(super) posted: Duration,
    /// From the `POST` to the decision, where there is one.
    pub(super) decided: Option<Duration>,
}

/// All outcomes, and the mails.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) mails: usize,
    pub(super) mails_expected: usize,
}

impl Report {
    /// Whether everything came as it was expected to.
    pub(super) fn as_expected(&self) -> bool {
        self.mails == self.mails_expected && self.outcomes.iter().all(|o| o.surprise.is_none())
    }
}

/// The value that `share` of the sorted values do not exceed.
pub(super) fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: BTreeMap<Kind, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.outcomes {
            kinds.entry(outcome.kind).or_default().push(outcome);
        }
        let rule = "-".repeat(91);
        writeln!(
            f,
            "{:<22}{:>7}{:>7}  {:<12}{:>21}{:>22}",
            "", "", "as", "", "POST, ms", "decided, ms"
        )?;
        writeln!(
            f,
            "{:<22}{:>7}{:>7}  {:<12}{:>11}{:>10}{:>12}{:>10}",
            "order", "posted", "wanted", "ends as", "p50", "p99", "p50", "p99"
        )?;
        writeln!(f, "{rule}")?;
        for (kind, outcomes) in &kinds {
            let right = outcomes.iter().filter(|o| o.surprise.is_none()).count();
            let refused = format!("HTTP {}", kind.status());
            let ends = kind.decision().unwrap_or(&refused);
            write!(
                f,
                "{:<22}{:>7}{:>7}  {:<12}",
                kind.label(),
                outcomes.len(),
                right,
                ends
            )?;
            let posted = latencies(outcomes.iter().map(|o| o.posted));
            let decided = latencies(outcomes.iter().filter_map(|o| o.decided));
            writeln!(
                f,
                "{:>11}{:>10}{:>12}{:>10}",
                posted[0], posted[1], decided[0], decided[1]
            )?;
        }
        writeln!(f, "{rule}")?;
        let right = self
            .outcomes
            .iter()
            .filter(|o| o.surprise.is_none())
            .count();
        let (posted, decided) = (
            latencies(self.outcomes.iter().map(|o| o.posted)),
            latencies(self.outcomes.iter().filter_map(|o| o.decided)),
        );
        write!(
            f,
            "{:<22}{:>7}{:>7}  {:<12}",
            "all",
            self.outcomes.len(),
            right,
            ""
        )?;
        writeln!(
            f,
            "{:>11}{:>10}{:>12}{:>10}",
            posted[0], posted[1], decided[0], decided[1]
        )?;
        writeln!(f, "\nmails sent: {} of {}", self.mails, self.mails_expected)?;
        for outcome in self
            .outcomes
            .iter()
            .filter(|o| o.surprise.is_some())
            .take(10)
        {
            let surprise = outcome.surprise.as_deref().unwrap_or_default();
            writeln!(f, "not as wanted: {}: {surprise}", outcome.kind.label())?;
        }
        Ok(())
    }
}

/// p50 and p99 in milliseconds, as text.
fn latencies(all: impl Iterator<Item = Duration>) -> [String; 2] {
    let mut sorted: Vec<_> = all.collect();
    sorted.sort_unstable();
    let text = |share| {
        percentile(&sorted, share)
            .map_or("-".to_owned(), |d| format!("{:.1}", d.as_secs_f64() * 1e3))
    };
    [text(0.5), text(0.99)]
}
