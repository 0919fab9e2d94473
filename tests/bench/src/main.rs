//! `bench run`: weir and its rivals on the same topics, measured from outside, every output
//! verified. `cargo xtask bench` builds what it needs and calls it.
//!
//! `bench loop` is one of the rivals.

mod matrix;
mod scenario;

mod drain;
mod idle;
mod latency;
mod orders;
mod restart;
mod swap;

mod contender;
mod ground;
mod rows;
mod verify;

mod cost;
mod outcome;
mod setting;
mod table;

mod bare_loop;
mod kafka;
mod paced;

use std::process::ExitCode;

use clap::Parser;

/// Measures weir beside its rivals.
#[derive(Parser)]
#[command(name = "bench", after_help = scenario::help())]
enum Command {
    /// Runs scenarios, and prints a table of medians
    Run(matrix::Matrix),
    /// The bare loop on rdkafka, until it is killed
    Loop(bare_loop::BareLoop),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Run(matrix) => matrix.run(),
        Command::Loop(bare_loop) => bare_loop.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
