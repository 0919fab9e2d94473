//! When and with what a benchmark was run: without it, figures say nothing.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use serde::Serialize;
use weir_tests::paths;

/// The date, the machine and the versions.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    at: String,
    /// Of the sources; with a `+` where files differ from it.
    commit: String,
    weir: String,
    broker: &'static str,
    java: String,
    processor: String,
    cores: usize,
    memory_gb: u64,
    kernel: String,
}

impl Setting {
    /// Of this moment. What cannot be found out is `?`.
    pub(crate) fn now(broker: &'static str) -> Self {
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        let memory = field("/proc/meminfo", "MemTotal:").unwrap_or_default();
        let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
        Self {
            at: now.to_string(),
            commit: commit(),
            weir: printed(Command::new(paths::weir()).arg("--version")),
            broker,
            java: printed(Command::new("java").arg("--version")),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get()),
            memory_gb: kilobytes >> 20,
            kernel: printed(Command::new("uname").arg("-sr")),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} ({}), broker {}, {}, {} × {}, {} GB, {}",
            self.at,
            self.weir,
            self.commit,
            self.broker,
            self.java,
            self.cores,
            self.processor,
            self.memory_gb,
            self.kernel
        )
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let folder = env!("CARGO_MANIFEST_DIR");
        printed(Command::new("git").args(["-C", folder]).args(arguments))
    };
    git(&["describe", "--always", "--dirty=+", "--exclude=*"])
}

/// The first line that a program prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().ok().filter(|it| it.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.and_then(|text| Some(text.lines().next()?.trim().to_owned()));
    line.unwrap_or_else(unknown)
}

/// The value of the first line of a file under /proc that begins so.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value = line.trim_start_matches([' ', '\t', ':']);
    Some(value.to_owned())
}

fn unknown() -> String {
    "?".to_owned()
}
