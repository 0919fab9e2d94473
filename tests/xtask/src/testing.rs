//! `cargo xtask test`: every test on the embedded broker, and those that need a broker once more
//! on Apache Kafka.

use std::env;
use std::process::Command;

use crate::process::{cargo, run};
use crate::setup::Purpose;
use crate::workspace::Workspace;
use crate::{guests, setup, tools};

/// The test binaries of the package of tests that need a broker, where they exist.
const ON_A_BROKER: [&str; 10] = [
    "harness",
    "scenarios",
    "http_api",
    "bad_input",
    "serdes",
    "swap",
    "members",
    "internal_topics",
    "kafka_tools",
    "chaos",
];

/// Tests at a time in a binary, on the embedded broker: most of their time they wait.
const AT_A_TIME: &str = "4";

/// Builds what the tests use and runs them all. With `kafka`, a machine without Java or Maven is an
/// error.
pub(crate) fn run_all(kafka: bool) -> anyhow::Result<()> {
    let toolchain = setup::prepare(Purpose::with_kafka(kafka))?;
    let workspace = Workspace::load()?;
    guests::build(&workspace, &toolchain)?;
    workspace.announce_first_build();

    eprintln!("xtask: all tests, on the embedded broker");
    let mut command = tests(&workspace, "embedded");
    if env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", AT_A_TIME);
    }
    run(&mut command)?;

    if let Err(missing) = tools::java_and_maven() {
        // With `kafka`, the setup above has already refused.
        eprintln!(
            "xtask: left out: the tests on Apache Kafka ({missing}; `cargo xtask setup --kafka`)"
        );
        return Ok(());
    }
    let again: Vec<_> = ON_A_BROKER
        .into_iter()
        .filter(|name| workspace.test_binaries().iter().any(|it| it == name))
        .collect();
    eprintln!("xtask: once more on Apache Kafka: {}", again.join(", "));
    let mut command = tests(&workspace, "kafka");
    for name in again {
        command.args(["--test", name]);
    }
    run(&mut command)
}

/// `cargo test` over the whole workspace, always: it makes the daemon, too, which a selection of
/// packages would make once more, with other features.
fn tests(workspace: &Workspace, broker: &str) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("WEIR_TEST_BROKER", broker)
        .env("WEIR_BIN", workspace.executable("weir"))
        .env("WEIR_COMPONENTS", workspace.components());
    command
}
