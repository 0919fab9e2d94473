//! Running other programs: said before, seen while they run, checked afterwards.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The cargo that runs this program, or the one in the path.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Runs a program in the foreground, after saying what it is. Errors: it cannot be started, or did
/// not succeed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    eprintln!("xtask: {line}");
    let status = command
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// What a program prints on stdout. Errors: it cannot be started, or did not succeed (its stderr is
/// in the message).
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}`: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("what `{line}` prints"))
}

/// Replaces this process by the program, so that signals and the exit code are the program's own.
/// Returns only if that fails.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> anyhow::Error {
    use std::os::unix::process::CommandExt as _;
    let line = line(command);
    eprintln!("xtask: {line}");
    anyhow::Error::from(command.exec()).context(format!("cannot run `{line}`"))
}

/// Runs the program in the foreground and ends with its exit code.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> anyhow::Error {
    match run(command) {
        Ok(()) => std::process::exit(0),
        Err(error) => error,
    }
}

/// The command as one would type it, without the folder of the program.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
