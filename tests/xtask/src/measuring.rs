//! `cargo xtask bench`: builds weir and its rivals, then hands over to the program that measures
//! them (`tests/bench`).

use std::ffi::OsString;
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
        workspace.build_daemon()?;
        run(&mut streams(&workspace))?;
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

/// Maven, which builds the applications of Kafka Streams into the folder of the build.
fn streams(workspace: &Workspace) -> Command {
    let folder = workspace.target().join("bench/streams");
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(workspace.root().join("tests/bench/streams/pom.xml"))
        .arg(format!("-Dfolder={}", folder.display()))
        .arg("package");
    maven
}
