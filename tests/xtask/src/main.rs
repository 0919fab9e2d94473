//! The lead commands of the repository: `cargo xtask demo`, `cargo xtask test` and their parts.
//!
//! They put together what a newcomer would have to type one by one: look after the tools that the
//! build needs, build the components for WebAssembly and the host for this machine, then run. Each
//! command says on stderr what it is about to do, hands the terminal to the program that does it,
//! and ends with that program's exit code. Nothing here knows how weir works.

mod guests;
mod measuring;
mod process;
mod setup;
mod testing;
mod tools;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::process::cargo;
use crate::setup::Purpose;
use crate::workspace::Workspace;

/// Builds, runs and checks weir.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds everything and runs the order services on a broker of their own
    Demo {
        /// Arguments of `weir demo`, such as --once
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Builds everything and runs all tests, on Apache Kafka too where Java and Maven are installed
    Test {
        /// Fail where Apache Kafka cannot be run
        #[arg(long)]
        kafka: bool,
    },
    /// Builds everything and measures weir beside Kafka Streams and a bare loop on rdkafka
    #[command(disable_help_flag = true)]
    Bench {
        /// Scenarios, and options such as --rounds 5; --help tells them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Looks for the tools that the build needs and installs what is missing, or says how
    Setup {
        /// Java and Maven too, for the tests on Apache Kafka
        #[arg(long)]
        kafka: bool,
    },
    /// Builds the services under plugins/ and the guests of the tests as WebAssembly
    Guests {
        /// With the system's Rust, which builds the target's standard library as well
        #[arg(long)]
        build_std: bool,
    },
    /// Replays Kafka Streams' own answers through the engine and through a component
    Golden {
        /// Folders of cases; without any, those of tests/golden/cases
        folders: Vec<OsString>,
    },
    /// Checks format and lints as continuous integration does
    Lint,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo { arguments } => demo(&arguments),
        Command::Test { kafka } => testing::run_all(kafka),
        Command::Bench { arguments } => measuring::run_all(&arguments),
        Command::Setup { kafka } => setup::prepare(Purpose::with_kafka(kafka)).map(drop),
        Command::Guests { build_std } => {
            let toolchain = if build_std {
                setup::system_toolchain()?
            } else {
                setup::prepare(Purpose::Build)?
            };
            guests::build(&Workspace::load()?, &toolchain).map(drop)
        }
        Command::Golden { folders } => golden(&folders),
        Command::Lint => lint(),
    }
}

fn demo(arguments: &[OsString]) -> anyhow::Result<()> {
    let toolchain = setup::prepare(Purpose::Build)?;
    let workspace = Workspace::load()?;
    let components = guests::build(&workspace, &toolchain)?;
    let mut weir = std::process::Command::new(workspace.build_daemon()?);
    weir.arg("demo")
        .arg("--components")
        .arg(components)
        .args(arguments);
    Err(process::become_program(&mut weir))
}

fn golden(folders: &[OsString]) -> anyhow::Result<()> {
    let toolchain = setup::prepare(Purpose::Build)?;
    let workspace = Workspace::load()?;
    let guest = guests::build(&workspace, &toolchain)?.join("tests/golden.wasm");
    workspace.announce_first_build();
    let mut run = cargo();
    run.args([
        "run",
        "--quiet",
        "--package",
        "weir-replay",
        "--bin",
        "golden",
        "--",
    ]);
    process::run(run.arg(guest).args(folders))
}

fn lint() -> anyhow::Result<()> {
    setup::prepare(Purpose::Build)?;
    Workspace::load()?.announce_first_build();
    process::run(cargo().args(["fmt", "--all", "--check"]))?;
    process::run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}
