//! Medians of runs, and how weir compares with each rival, as a table in Markdown.

use std::collections::BTreeMap;

use crate::outcome::Outcome;

/// One column.
struct Column {
    title: &'static str,
    value: fn(&Outcome) -> Option<f64>,
    digits: usize,
}

const COLUMNS: [Column; 11] = [
    column("records/s", |it| it.records_per_s, 0),
    column("CPU-s per M", |it| it.cpu_s_per_million, 2),
    column("p50 ms", |it| it.p50_ms, 1),
    column("p99 ms", |it| it.p99_ms, 1),
    column("usual gap ms", |it| it.usual_gap_ms, 0),
    column("gap ms", |it| it.gap_ms, 0),
    column("restart s", |it| it.restart_s, 2),
    column("start s", |it| it.start_s, 1),
    column("peak RSS MB", |it| it.peak_rss_mb, 0),
    column("RSS MB each", |it| it.rss_mb_per_service, 1),
    column("CPU % each", |it| it.cpu_percent_per_service, 2),
];

const fn column(title: &'static str, value: fn(&Outcome) -> Option<f64>, digits: usize) -> Column {
    Column {
        title,
        value,
        digits,
    }
}

/// The contender that is compared with each of the others.
const OURS: &str = "weir";

/// By name, in the order of first mention.
type Named<T> = Vec<(String, T)>;

/// The runs of a benchmark, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Runs {
    /// By scenario and contender.
    scenarios: Named<Named<Vec<Outcome>>>,
}

impl Runs {
    /// Adds a run. One whose output was not right is counted, and compared with nothing.
    pub(crate) fn add(&mut self, scenario: &str, contender: &str, outcome: Outcome) {
        entry(entry(&mut self.scenarios, scenario), contender).push(outcome);
    }

    /// Runs whose output was not right.
    pub(crate) fn wrong(&self) -> usize {
        let contenders = self.scenarios.iter().flat_map(|(_, contenders)| contenders);
        contenders
            .flat_map(|(_, runs)| runs)
            .filter(|run| !run.is_right())
            .count()
    }

    /// The table. A rival's figure is followed by `×` and weir's figure divided by it.
    pub(crate) fn markdown(&self) -> String {
        let medians = self.medians();
        let shown: Vec<_> = COLUMNS
            .iter()
            .enumerate()
            .filter(|(i, _)| medians.values().any(|row| row[*i].is_some()))
            .collect();
        let mut lines = vec![line(
            ["scenario", "contender", "runs"]
                .into_iter()
                .chain(shown.iter().map(|(_, column)| column.title))
                .map(str::to_owned),
        )];
        lines.push(line((0..3 + shown.len()).map(|i| {
            let right = if i < 2 { "---" } else { "---:" };
            right.to_owned()
        })));
        for (scenario, contenders) in &self.scenarios {
            let ours = medians.get(&(scenario, OURS));
            for (contender, runs) in contenders {
                let row = &medians[&(scenario.as_str(), contender.as_str())];
                let figures = shown.iter().map(|(i, column)| {
                    let ours = ours.filter(|_| contender != OURS).and_then(|it| it[*i]);
                    figure(row[*i], ours, column.digits)
                });
                let head = [scenario.clone(), contender.clone(), count(runs)];
                lines.push(line(head.into_iter().chain(figures)));
            }
        }
        lines.concat()
    }

    /// A median for each column, by scenario and contender.
    fn medians(&self) -> BTreeMap<(&str, &str), Vec<Option<f64>>> {
        let mut medians = BTreeMap::new();
        for (scenario, contenders) in &self.scenarios {
            for (contender, runs) in contenders {
                let right: Vec<_> = runs.iter().filter(|run| run.is_right()).collect();
                let row = COLUMNS.iter().map(|column| {
                    median(right.iter().filter_map(|run| (column.value)(run)).collect())
                });
                medians.insert((scenario.as_str(), contender.as_str()), row.collect());
            }
        }
        medians
    }
}

fn entry<'a, T: Default>(list: &'a mut Named<T>, name: &str) -> &'a mut T {
    let place = list.iter().position(|(it, _)| it == name);
    let place = place.unwrap_or_else(|| {
        list.push((name.to_owned(), T::default()));
        list.len() - 1
    });
    &mut list[place].1
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

fn count(runs: &[Outcome]) -> String {
    match runs.iter().filter(|run| !run.is_right()).count() {
        0 => runs.len().to_string(),
        wrong => format!("{}, {wrong} WRONG", runs.len()),
    }
}

fn figure(value: Option<f64>, ours: Option<f64>, digits: usize) -> String {
    match (value, ours) {
        (None, _) => "-".to_owned(),
        (Some(value), Some(ours)) if value > 0.0 => {
            format!("{} ×{:.2}", number(value, digits), ours / value)
        }
        (Some(value), _) => number(value, digits),
    }
}

/// With a space between thousands.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// The middle value, or the mean of the two in the middle; `None` of no values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    Some(f64::midpoint(*values.get(low)?, *values.get(high)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Verdict;

    fn speed(records_per_s: f64) -> Outcome {
        Outcome {
            records_per_s: Some(records_per_s),
            ..Outcome::default()
        }
    }

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(number(1_234_567.4, 0), "1 234 567");
        assert_eq!(number(123.456, 2), "123.46");
        assert_eq!(number(1234.5, 1), "1 234.5");
    }

    #[test]
    fn a_rivals_figure_says_how_weir_compares() {
        let mut runs = Runs::default();
        for speeds in [[3000.0, 1000.0], [1000.0, 1000.0], [2000.0, 4000.0]] {
            runs.add("count", "weir", speed(speeds[0]));
            runs.add("count", "streams", speed(speeds[1]));
        }
        let idle = Outcome {
            cpu_percent_per_service: Some(0.5),
            ..Outcome::default()
        };
        runs.add("idle", "streams", idle);
        assert_eq!(
            runs.markdown(),
            "| scenario | contender | runs | records/s | CPU % each |\n\
             | --- | --- | ---: | ---: | ---: |\n\
             | count | weir | 3 | 2 000 | - |\n\
             | count | streams | 3 | 1 000 ×2.00 | - |\n\
             | idle | streams | 1 | - | 0.50 |\n"
        );
    }

    #[test]
    fn a_run_with_a_wrong_output_counts_for_nothing_but_is_shown() {
        let mut runs = Runs::default();
        runs.add("count", "weir", speed(1000.0));
        let verdict = Verdict {
            missing: 1,
            ..Verdict::default()
        };
        let fast = Outcome {
            verdict: Some(verdict),
            ..speed(9000.0)
        };
        runs.add("count", "weir", fast);
        assert_eq!(runs.wrong(), 1);
        assert!(
            runs.markdown()
                .ends_with("| count | weir | 2, 1 WRONG | 1 000 |\n")
        );
    }
}
