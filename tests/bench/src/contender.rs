//! Who is measured, and how each is started: a program that runs one job until it is told to end.
//!
//! weir is run as a user runs it: `weir run` with a `weir.toml`, nothing turned off.

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
    /// Kafka Streams with the batch sizes of the loop.
    StreamsTuned,
}

/// What a contender is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    /// The broker.
    pub(crate) bootstrap: &'a str,
    /// What is done: a topology of the guest `bench`, or `orders`.
    pub(crate) workload: &'a str,
    /// The name of the service and its group; of `orders`, how all names begin.
    pub(crate) id: &'a str,
    pub(crate) input: &'a str,
    pub(crate) output: &'a str,
    pub(crate) table: &'a str,
    pub(crate) commit_ms: u64,
}

/// Its defaults (batches of 16 KB, 500 rows a poll) cost Kafka Streams up to a third.
const TUNED: [&str; 3] = [
    "producer.batch.size=1048576",
    "consumer.max.poll.records=10000",
    "consumer.max.partition.fetch.bytes=4194304",
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
    pub(crate) fn start(self, job: &Job<'_>, folder: &Path) -> anyhow::Result<Child> {
        match self {
            Self::Weir => {
                let component = components().join("tests/bench.wasm");
                start_weir(&weir_toml(job, &[job.id.to_owned()], &component), folder)
            }
            Self::Loop => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("loop").args(["--bootstrap", job.bootstrap]);
                command.args(["--id", job.id, "--in", job.input, "--out", job.output]);
                command.args(["--commit-ms", &job.commit_ms.to_string()]);
                Child::spawn("loop", &mut command, folder)
            }
            Self::Streams => start_streams(job, &[], folder),
            Self::StreamsTuned => start_streams(job, &TUNED, folder),
        }
    }
}

/// Starts a host of these services, all of which do the same job.
pub(crate) fn start_weir_services(
    job: &Job<'_>,
    names: &[String],
    component: &Path,
    folder: &Path,
) -> anyhow::Result<Child> {
    start_weir(&weir_toml(job, names, component), folder)
}

fn start_weir(toml: &str, folder: &Path) -> anyhow::Result<Child> {
    let file = folder.join("weir.toml");
    std::fs::write(&file, toml).with_context(|| format!("writing {}", file.display()))?;
    let mut command = Command::new(paths::weir());
    command.arg("run").arg("--config").arg(&file);
    Child::spawn("weir", &mut command, folder)
}

/// The configuration of a host. Names, topics and paths are the benchmark's own: none needs an
/// escape but paths, which are written as literals.
fn weir_toml(job: &Job<'_>, names: &[String], component: &Path) -> String {
    let mut toml = format!(
        "cluster = \"{}\"\nbrokers = \"{}\"\nstate = \"state\"\nhttp = \"127.0.0.1:0\"\n\
         [defaults]\ncommit_interval = \"{}ms\"\n",
        job.id, job.bootstrap, job.commit_ms
    );
    if job.workload == "orders" {
        for name in SERVICES {
            let component = components().join(format!("{name}.wasm"));
            let component = component.display();
            toml += &format!("[services.{}-{name}]\ncomponent = '{component}'\n", job.id);
        }
        return toml;
    }
    if job.workload == "join" {
        // The table is there before the stream. Kafka Streams takes rows of the stream only once
        // it has fetched what the table's topic holds; weir, once it has waited for it.
        toml += "max_idle = \"1s\"\n";
    }
    for name in names {
        toml += &format!(
            "[services.{name}]\ncomponent = '{}'\n\
             config = {{ workload = \"{}\", in = \"{}\", out = \"{}\", table = \"{}\" }}\n",
            component.display(),
            job.workload,
            job.input,
            job.output,
            job.table
        );
    }
    toml
}

fn start_streams(job: &Job<'_>, settings: &[&str], folder: &Path) -> anyhow::Result<Child> {
    let jar = streams_jar();
    ensure!(
        jar.is_file(),
        "no Kafka Streams applications at {}: `cargo xtask bench` builds them",
        jar.display()
    );
    let java = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let mut command = Command::new(java.unwrap_or_else(|| PathBuf::from("java")));
    command.arg("-jar").arg(jar).arg(job.workload);
    command.args(["--bootstrap", job.bootstrap, "--id", job.id]);
    command.args(["--in", job.input, "--out", job.output]);
    command.args(["--table", job.table]);
    command.args(["--commit-ms", &job.commit_ms.to_string()]);
    command.arg("--state").arg(folder.join("state"));
    for setting in settings {
        command.args(["--set", setting]);
    }
    Child::spawn("streams", &mut command, folder)
}

/// The component of all topologies but `orders`.
pub(crate) fn components() -> PathBuf {
    paths::components()
}

/// Where Maven puts the rival.
fn streams_jar() -> PathBuf {
    paths::target().join("bench/streams/streams.jar")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: Job<'_> = Job {
        bootstrap: "127.0.0.1:1",
        workload: "count",
        id: "run-1",
        input: "keys",
        output: "out",
        table: "table",
        commit_ms: 100,
    };

    #[test]
    fn weir_is_configured_by_a_file_with_a_table_for_each_service() {
        let names = ["a".to_owned(), "b".to_owned()];
        let toml = weir_toml(&JOB, &names, Path::new("/c/bench.wasm"));
        assert_eq!(
            toml,
            "cluster = \"run-1\"\nbrokers = \"127.0.0.1:1\"\nstate = \"state\"\n\
             http = \"127.0.0.1:0\"\n[defaults]\ncommit_interval = \"100ms\"\n\
             [services.a]\ncomponent = '/c/bench.wasm'\n\
             config = { workload = \"count\", in = \"keys\", out = \"out\", table = \"table\" }\n\
             [services.b]\ncomponent = '/c/bench.wasm'\n\
             config = { workload = \"count\", in = \"keys\", out = \"out\", table = \"table\" }\n"
        );
    }

    #[test]
    fn the_order_system_is_six_services_with_components_of_their_own() {
        let job = Job {
            workload: "orders",
            ..JOB
        };
        let toml = weir_toml(&job, &[], Path::new(""));
        assert_eq!(toml.matches("[services.run-1-").count(), 6);
        assert!(toml.contains("/order-details.wasm'\n"));
    }
}
