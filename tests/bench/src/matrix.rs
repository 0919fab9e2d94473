//! The whole benchmark: every contender of every scenario, taking turns on one broker.

use std::fs::{self, File};
use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use weir_tests::broker::{Keeps, Make};
use weir_tests::{Broker, paths};

use crate::contender::Contender;
use crate::ground::Ground;
use crate::outcome::Outcome;
use crate::scenario::{SCENARIOS, Scenario};
use crate::setting::Setting;
use crate::table::Runs;

/// Which scenarios are run, on what, and how often.
#[derive(clap::Args)]
pub(crate) struct Matrix {
    /// Scenarios; without any, all
    #[arg(value_name = "SCENARIO", value_parser = scenario)]
    scenarios: Vec<&'static Scenario>,
    /// kafka (Apache Kafka), or embedded (`weir broker`)
    #[arg(long, default_value = "kafka", value_name = "NAME", value_parser = make)]
    broker: Make,
    /// Runs of each contender
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: u32,
    /// Percent of the full number of rows, where they are not sent on schedule
    #[arg(
        long,
        default_value_t = 100,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u64).range(1..=1000)
    )]
    scale: u64,
    /// Only this contender; may come more than once
    #[arg(long = "contender", value_name = "NAME")]
    contenders: Vec<Contender>,
}

impl Matrix {
    /// Runs them all, prints the table of medians, and adds a line of JSON for each run to
    /// `bench/results.jsonl` in the build folder. Errors: the broker does not start; at the end, if
    /// a run failed or had a wrong output.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let scenarios = match self.scenarios.is_empty() {
            true => SCENARIOS.iter().collect(),
            false => self.scenarios.clone(),
        };
        let mut results = results()?;
        let setting = Setting::now(broker_name(self.broker));
        writeln!(results, "{}", serde_json::to_string(&setting)?)?;
        let mut ground = Ground::new(Broker::of(self.broker, Keeps::Everything)?, self.scale);
        let mut runs = Runs::default();
        let mut failed = 0;
        for round in 1..=self.rounds {
            for scenario in &scenarios {
                for &contender in self.contenders_of(scenario) {
                    let (name, contender_name) = (scenario.name, contender.name());
                    eprintln!("bench: round {round}: {name} by {contender_name}");
                    let mut line = json!({
                        "scenario": name, "contender": contender_name, "round": round,
                        "broker": broker_name(self.broker), "scale": self.scale,
                    });
                    match scenario.run(&mut ground, contender) {
                        Ok(outcome) => {
                            add(&mut line, &outcome)?;
                            runs.add(name, contender_name, outcome);
                        }
                        // The others' runs are not lost.
                        Err(error) => {
                            line["failed"] = json!(format!("{error:#}"));
                            failed += 1;
                        }
                    }
                    eprintln!("bench: {line}");
                    writeln!(results, "{line}")?;
                }
            }
        }
        print(&format!("\n{setting}\n\n{}", runs.markdown()))?;
        match failed + runs.wrong() {
            0 => Ok(()),
            bad => bail!("{bad} runs failed, or had an output that its input does not demand"),
        }
    }

    fn contenders_of(&self, scenario: &Scenario) -> impl Iterator<Item = &Contender> {
        let chosen = |it: &&Contender| self.contenders.is_empty() || self.contenders.contains(*it);
        scenario.contenders.iter().filter(chosen)
    }
}

fn add(line: &mut Value, outcome: &Outcome) -> anyhow::Result<()> {
    let measures = serde_json::to_value(outcome)?;
    for (name, value) in measures.as_object().into_iter().flatten() {
        line[name] = value.clone();
    }
    Ok(())
}

/// The file of raw results, to be added to.
fn results() -> anyhow::Result<File> {
    let folder = paths::target().join("bench");
    let path = folder.join("results.jsonl");
    fs::create_dir_all(&folder)
        .and_then(|()| File::options().create(true).append(true).open(&path))
        .with_context(|| format!("opening {}", path.display()))
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("printing the table")
}

fn scenario(name: &str) -> anyhow::Result<&'static Scenario> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.with_context(|| {
        let known: Vec<_> = SCENARIOS.iter().map(|it| it.name).collect();
        format!("no such scenario; there are {}", known.join(", "))
    })
}

fn make(name: &str) -> anyhow::Result<Make> {
    match name {
        "kafka" => Ok(Make::Kafka),
        "embedded" => Ok(Make::Embedded),
        _ => bail!("`kafka` or `embedded`"),
    }
}

fn broker_name(make: Make) -> &'static str {
    match make {
        Make::Kafka => "kafka",
        Make::Embedded => "embedded",
    }
}
