//! `cargo xtask bench`: builds weir and its rivals, then hands over to the program that measures
//! them (`tests/bench`).

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::guests;
use crate::process::{become_program, cargo, run};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;

/// Builds all contenders and runs the benchmark with these arguments. Where they ask for help,
/// nothing but the program that knows is built.
pub(crate) fn run_all(arguments: &[OsString]) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    let asks = arguments.iter().any(|it| it == "--help" || it == "-h");
    if !asks {
        let toolchain = setup::prepare(Purpose::Streams)?;
        guests::build(&workspace, &toolchain)?;
        workspace.announce_first_build();
        run(cargo().args(["build", "--package", "weir", "--bin", "weir"]))?;
        run(&mut streams(&workspace.target().join("bench/streams")))?;
    }
    run(cargo().args(["build", "--package", "weir-bench", "--bin", "bench"]))?;
    let mut bench = Command::new(workspace.executable("bench"));
    bench
        .arg("run")
        .args(arguments)
        .env("WEIR_BIN", workspace.executable("weir"))
        .env("WEIR_COMPONENTS", workspace.components());
    Err(become_program(&mut bench))
}

/// Maven, which builds the applications of Kafka Streams into this folder.
fn streams(folder: &Path) -> Command {
    let pom = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/streams/pom.xml");
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--quiet", "--file", pom])
        .arg(format!("-Dfolder={}", folder.display()))
        .arg("package");
    maven
}
