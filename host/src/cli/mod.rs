//! The command line: one binary, a subcommand for each thing that a person does.
//!
//! This is the door of clap. A subcommand turns what was typed into a configuration and calls what
//! does the work; it holds no logic of its own.

mod bench;
mod broker;
mod build;
mod demo;
mod describe;
mod dev;
mod logging;
mod new;
mod run;
mod shutdown;

use clap::{Parser, Subcommand};

/// Microservices as WebAssembly components on Kafka streams.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is logged, on stderr: error, warn, info, debug, or per module as in
    /// `info,weir_host=debug`.
    #[arg(
        long,
        global = true,
        env = "WEIR_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a service crate in a new folder: it builds, and its test passes.
    New(new::Arguments),
    /// Builds a service crate into a component.
    Build(build::Arguments),
    /// Prints what a component declares: topology, stores, topics, routes, imports, digest.
    Describe(describe::Arguments),
    /// Runs the components of a folder on a broker of its own, and again whenever they change.
    Dev(dev::Arguments),
    /// Runs services on a Kafka cluster: the daemon.
    Run(run::Arguments),
    /// Runs the embedded broker alone. It is for one machine: development and tests.
    Broker(broker::Arguments),
    /// Runs the six order services, posts orders, and prints what became of them.
    Demo(demo::Arguments),
    /// Measures one workload against a broker and prints a line of JSON.
    Bench(bench::Arguments),
}

impl Arguments {
    /// Reads the command line; ends the process where it asks for help or makes no sense.
    pub fn parse_command_line() -> Arguments {
        Arguments::parse()
    }

    /// Does what was asked for. The error is for a person.
    pub fn run(self) -> anyhow::Result<()> {
        logging::start(&self.log)?;
        match self.command {
            Command::New(arguments) => arguments.run(),
            Command::Build(arguments) => arguments.run(),
            Command::Describe(arguments) => arguments.run(),
            Command::Dev(arguments) => arguments.run(),
            Command::Run(arguments) => arguments.run(),
            Command::Broker(arguments) => arguments.run(),
            Command::Demo(arguments) => arguments.run(),
            Command::Bench(arguments) => arguments.run(),
        }
    }
}

/// Prints the answer of a command.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
