//! Who is measured, and how each is started: a program that runs one job until it is told to end.
//!
//! weir is run as a user runs it: `weir run` with a `weir.toml`, nothing turned off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use weir_tests::child::Child;
use weir_tests::orders::SERVICES;
use weir_tests::paths;

/// A program that does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Contender {
    /// `weir run`.
    Weir,
    /// The bare loop on rdkafka: passthroughs only.
    Loop,
    /// Kafka Streams with its default settings.
    Streams,
    /// Kafka Streams with the batch sizes of the loop, and a static member: one that is killed
    /// comes back without waiting for the end of its session.
    StreamsTuned,
}

/// What a contender is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The broker.
    pub(crate) bootstrap: String,
    /// What is done: a topology of the guest `bench`, or `orders`, which has topics of its own.
    pub(crate) workload: &'static str,
    /// The name of the service and its group; of `orders`, how all names begin.
    pub(crate) id: String,
    pub(crate) input: &'static str,
    pub(crate) output: &'static str,
    pub(crate) table: &'static str,
    pub(crate) commit_ms: u64,
    /// How many services do it, each all of it: `id`-1, `id`-2 and so on, if more than one. Kafka
    /// Streams ignores it: there a service is a process.
    pub(crate) copies: usize,
}

/// The package of the component of all workloads but `orders`.
const BENCH: &str = "bench";

/// Its defaults (batches of 16 KB, few rows a poll, a member that is new after each start) cost
/// Kafka Streams up to a third, and 45 s after a kill.
const TUNED: [&str; 4] = [
    "producer.batch.size=1048576",
    "consumer.max.poll.records=10000",
    "consumer.max.partition.fetch.bytes=4194304",
    "main.consumer.group.instance.id=bench",
];

impl Contender {
    /// As it is called in the results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weir => "weir",
            Self::Loop => "loop",
            Self::Streams => "streams",
            Self::StreamsTuned => "streams-tuned",
        }
    }

    /// Starts it on a job. Its state, settings and log are in `folder`, where a second start finds
    /// them again.
    pub(crate) fn start(self, job: &Job, folder: &Path) -> anyhow::Result<Child> {
        match self {
            Self::Weir => {
                for (service, package) in job.services() {
                    install(&service, package, folder)?;
                }
                let file = folder.join("weir.toml");
                fs::write(&file, weir_toml(job)).context("writing weir.toml")?;
                let mut command = Command::new(paths::weir());
                command.arg("run").arg("--config").arg(&file);
                Child::spawn("weir", &mut command, folder)
            }
            Self::Loop => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("loop").args(["--bootstrap", &job.bootstrap]);
                command.args(["--id", &job.id, "--in", job.input, "--out", job.output]);
                command.args(["--commit-ms", &job.commit_ms.to_string()]);
                Child::spawn("loop", &mut command, folder)
            }
            Self::Streams => start_streams(job, &[], folder),
            Self::StreamsTuned => start_streams(job, &TUNED, folder),
        }
    }
}

impl Job {
    /// Weir's services, and the packages of their components.
    fn services(&self) -> Vec<(String, &'static str)> {
        match (self.workload, self.copies) {
            ("orders", _) => SERVICES
                .map(|name| (format!("{}-{name}", self.id), name))
                .to_vec(),
            (_, 1) => vec![(self.id.clone(), BENCH)],
            (_, copies) => (1..=copies)
                .map(|copy| (format!("{}-{copy}", self.id), BENCH))
                .collect(),
        }
    }
}

/// Puts a component into the folder that weir looks at, as a service of this name.
fn install(service: &str, package: &str, folder: &Path) -> anyhow::Result<()> {
    let from = paths::component(package);
    let to = component(folder, service);
    let components = to.parent().unwrap_or(folder);
    fs::create_dir_all(components)
        .and_then(|()| fs::copy(&from, &to))
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The component that weir runs as this service.
pub(crate) fn component(folder: &Path, service: &str) -> PathBuf {
    folder.join(format!("components/{service}.wasm"))
}

/// The configuration of a host. Names and topics are the benchmark's own: none needs an escape.
fn weir_toml(job: &Job) -> String {
    let mut toml = format!(
        "cluster = \"{}\"\nbrokers = \"{}\"\nstate = \"state\"\nhttp = \"127.0.0.1:0\"\n\
         components = \"components\"\n[defaults]\ncommit_interval = \"{}ms\"\n",
        job.id, job.bootstrap, job.commit_ms
    );
    if job.workload != "orders" {
        toml += &format!(
            "config = {{ workload = \"{}\", in = \"{}\", out = \"{}\", table = \"{}\" }}\n",
            job.workload, job.input, job.output, job.table
        );
    }
    toml
}

fn start_streams(job: &Job, settings: &[&str], folder: &Path) -> anyhow::Result<Child> {
    // Where `cargo xtask bench` has Maven put it.
    let jar = paths::target().join("bench/streams/streams.jar");
    ensure!(
        jar.is_file(),
        "no Kafka Streams applications at {}: `cargo xtask bench` builds them",
        jar.display()
    );
    let java = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let mut command = Command::new(java.unwrap_or_else(|| PathBuf::from("java")));
    command.arg("-jar").arg(jar).arg(job.workload);
    command.args(["--bootstrap", &job.bootstrap, "--id", &job.id]);
    command.args(["--in", job.input, "--out", job.output]);
    command.args(["--table", job.table]);
    command.args(["--commit-ms", &job.commit_ms.to_string()]);
    command.arg("--state").arg(folder.join("state"));
    for setting in settings {
        command.args(["--set", setting]);
    }
    Child::spawn("streams", &mut command, folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count() -> Job {
        Job {
            bootstrap: "127.0.0.1:1".to_owned(),
            workload: "count",
            id: "run-1".to_owned(),
            input: "keys",
            output: "out",
            table: "table",
            commit_ms: 100,
            copies: 1,
        }
    }

    #[test]
    fn weir_is_configured_by_a_file_and_a_folder_of_components() {
        assert_eq!(
            weir_toml(&count()),
            "cluster = \"run-1\"\nbrokers = \"127.0.0.1:1\"\nstate = \"state\"\n\
             http = \"127.0.0.1:0\"\ncomponents = \"components\"\n\
             [defaults]\ncommit_interval = \"100ms\"\n\
             config = { workload = \"count\", in = \"keys\", out = \"out\", table = \"table\" }\n"
        );
    }

    #[test]
    fn a_job_is_one_service_many_copies_of_it_or_the_order_system() {
        assert_eq!(count().services(), [("run-1".to_owned(), "bench")]);
        let copies = Job {
            copies: 100,
            ..count()
        };
        assert_eq!(copies.services().len(), 100);
        assert_eq!(copies.services()[99].0, "run-1-100");
        let orders = Job {
            workload: "orders",
            ..count()
        };
        assert_eq!(orders.services()[1].0, "run-1-order-details");
        assert_eq!(orders.services()[1].1, "order-details");
    }
}
