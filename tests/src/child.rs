//! A child process that never outlives the test that started it.
//!
//! It is killed when the value is dropped, also by a panic. A value in a static is never dropped,
//! and a test process may itself be killed: so a watchdog (a shell that waits on a pipe from this
//! process) kills the child as soon as the pipe breaks, and removes its folder. Both live in
//! process groups of their own, so that an interrupt from the terminal reaches them by way of the
//! test process alone.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::wait;

/// The watchdog: `$1` is the child's process id, `$2` the folder that goes with it. A line on stdin
/// dismisses it.
const WATCHDOG: &str = r#"read -r word || { kill -s KILL "$1"; sleep 0.2; rm -rf "$2"; }"#;

/// How much of a log is shown when something fails.
const TAIL_LINES: usize = 60;

/// A program that runs, with a log of what it prints.
pub struct Child {
    name: String,
    child: std::process::Child,
    watchdog: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts a program. What it prints is added to the file `name.log` in `folder`; the folder is
    /// the child's own, and goes with it if this process dies first. Errors: the program cannot be
    /// started.
    pub fn spawn(name: &str, command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("opening {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("a second handle of the log")?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog", &child.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("starting a watchdog (sh)")?;
        Ok(Self {
            name: name.to_owned(),
            child,
            watchdog,
            log,
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("one may ask for the state of one's own child")
    }

    /// SIGKILL: no farewell of any kind. Returns when the process is gone.
    pub fn kill9(&mut self) {
        if self.ended().is_none() {
            self.child.kill().expect("one may kill one's own child");
            self.child.wait().expect("a killed child ends");
        }
    }

    /// SIGTERM, the request to end in order; how it ended. Panics if it still runs after `limit`.
    #[track_caller]
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal("TERM");
        match wait::within(limit, || self.ended()) {
            Some(status) => status,
            None => panic!(
                "{} still runs {} s after SIGTERM\n{}",
                self.name,
                limit.as_secs(),
                self.log_tail()
            ),
        }
    }

    /// SIGSTOP: it stands still until [`Self::thaw`], as a machine does that swaps or is suspended.
    pub fn freeze(&mut self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on.
    pub fn thaw(&mut self) {
        self.signal("CONT");
    }

    /// All that it has printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines that it has printed, under a heading.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        format!("---- the last lines of {} ----\n{tail}\n----", self.name)
    }

    fn signal(&mut self, name: &str) {
        // The process is not reaped before its end is asked for, so the id cannot be somebody
        // else's.
        if self.ended().is_none() {
            let command = format!("kill -s {name} {}", self.pid());
            let status = Command::new("sh").args(["-c", &command]).status();
            assert!(
                status.is_ok_and(|it| it.success()),
                "cannot send SIG{name} to {}",
                self.name
            );
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill9();
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            // It may be gone already, which is as good.
            let _ = pipe.write_all(b"dismissed\n");
        }
        let _ = self.watchdog.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn shell(script: &str, folder: &Path) -> Child {
        Child::spawn("sleeper", Command::new("sh").args(["-c", script]), folder).unwrap()
    }

    fn runs(pid: u32) -> bool {
        // A zombie has ended, whoever has not looked yet.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    #[test]
    fn a_child_ends_with_the_value_that_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let child = shell("exec sleep 600", folder.path());
        let pid = child.pid();
        assert!(runs(pid));
        drop(child);
        assert!(!runs(pid));
        assert!(folder.path().exists());
    }

    #[test]
    fn a_child_ends_and_its_folder_goes_when_the_pipe_to_the_watchdog_breaks() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("exec sleep 600", folder.path());
        let pid = child.pid();
        drop(child.watchdog.stdin.take()); // what the kernel does when a process dies
        wait::until("the child ends", || (!runs(pid)).then_some(()));
        wait::until("its folder goes", || {
            (!folder.path().exists()).then_some(())
        });
    }

    #[test]
    fn a_frozen_child_does_nothing_until_it_is_thawed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("while :; do echo tick; sleep 0.02; done", folder.path());
        wait::until("a first tick", || {
            child.log().contains("tick").then_some(())
        });
        child.freeze();
        let frozen = child.log().len();
        std::thread::sleep(Duration::from_millis(200));
        // One tick may have been under way.
        assert!(child.log().len() <= frozen + "tick\n".len());
        child.thaw();
        wait::until("more ticks", || {
            (child.log().len() > frozen + 20).then_some(())
        });
    }

    #[test]
    fn a_child_that_is_asked_to_end_may_do_so_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell(
            "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.02; done",
            folder.path(),
        );
        wait::until("the child is up", || {
            child.log().contains("up").then_some(())
        });
        assert_eq!(child.terminate(wait::SOON).code(), Some(7));
        assert!(child.log().ends_with("bye\n"));
    }
}
