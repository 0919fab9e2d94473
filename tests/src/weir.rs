//! The `weir` program, run as an operator runs it: started with arguments, killed, frozen, started
//! again.
//!
//! A host keeps its folder over restarts (state, configuration, log), and both go when the value is
//! dropped.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use crate::child::Child;
use crate::http::{self, Response};
use crate::{paths, ports, wait};

/// One host.
pub struct Weir {
    // Dropped in this order: first the process, then its folder.
    child: Option<Child>,
    folder: TempDir,
    name: String,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    http: SocketAddr,
}

impl Weir {
    /// A host that does not run yet. `name` is for its log and for messages.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("weir-test-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("a folder for {name}: {error}"));
        let [http] = ports::free();
        Self {
            child: None,
            folder,
            name: name.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            http,
        }
    }

    /// A host of the cluster at `brokers`, with a state folder and an HTTP port of its own: `weir
    /// run`.
    pub fn host(name: &str, brokers: &str) -> Self {
        let host = Self::new(name);
        let (state, http) = (host.folder().join("state"), host.http.to_string());
        host.args(["run", "--brokers", brokers, "--http", &http])
            .arg("--state")
            .arg(state)
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// A variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// A file in the host's folder, such as its configuration.
    #[track_caller]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder().join(name);
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
        self
    }

    /// The folder of this host: its working directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its HTTP listens.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The URL of a path on this host.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// Starts it, and returns when it is ready.
    #[track_caller]
    pub fn start(mut self) -> Self {
        self.start_again();
        self.wait_until_ready();
        self
    }

    /// Starts the process, with the same folder, arguments and ports as before, and does not wait.
    #[track_caller]
    pub fn start_again(&mut self) {
        let mut command = Command::new(paths::weir());
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path());
        let child = Child::spawn(&self.name, &mut command, self.folder.path());
        self.child = Some(child.unwrap_or_else(|error| panic!("{error:#}")));
    }

    /// Waits until `/readyz` says 200. Panics if the process ends before, or it takes too long.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        let url = self.url("/readyz");
        let name = self.name.clone();
        let child = self.child();
        wait::until(&format!("{name} is ready"), || {
            if let Some(status) = child.ended() {
                panic!("{name} ended while it started: {status}");
            }
            http::send("GET", &url, None)
                .ok()
                .filter(|response| response.status == 200)
        });
    }

    /// Waits for the process to end by itself; how it ended, and all that it printed.
    #[track_caller]
    pub fn wait_until_ended(&mut self) -> (ExitStatus, String) {
        let name = self.name.clone();
        let child = self.child();
        let status = wait::until(&format!("{name} ends"), || child.ended());
        (status, child.log())
    }

    /// A GET of a path on this host.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        http::get(&self.url(path))
    }

    /// A POST of JSON to a path on this host.
    #[track_caller]
    pub fn post(&self, path: &str, body: &serde_json::Value) -> Response {
        http::post(&self.url(path), body)
    }

    /// SIGKILL.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.child().kill9();
    }

    /// SIGTERM; how it ended, within `limit`.
    #[track_caller]
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.child().terminate(limit)
    }

    /// The process. Panics if it was never started.
    #[track_caller]
    pub fn child(&mut self) -> &mut Child {
        self.child
            .as_mut()
            .unwrap_or_else(|| panic!("{} was never started", self.name))
    }

    /// Runs `weir` to its end, as one does at a prompt: whether it succeeded, and all that it
    /// printed.
    #[track_caller]
    pub fn run(arguments: &[&str]) -> (ExitStatus, String) {
        let mut weir = Self::new("weir").args(arguments);
        weir.start_again();
        weir.wait_until_ended()
    }
}
