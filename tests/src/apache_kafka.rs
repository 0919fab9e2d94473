//! Apache Kafka itself, one node, started for a test: the judge of what Kafka does.
//!
//! Maven fetches the jars named in `tests/kafka/pom.xml` once, into cargo's build folder; Java 17
//! runs them. Data, settings and log are in a folder that goes with the broker. Only times differ
//! from production: what Kafka looks at every few minutes it looks at every second here, and
//! internal topics have 4 partitions.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::child::Child;
use crate::client::Client;
use crate::{paths, ports, wait};

/// The version that `tests/kafka/pom.xml` names.
const VERSION: &str = "4.3.1";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies";

/// One broker that is also its own controller; each value is the same in every test.
const SETTINGS: &str = "\
node.id=1
process.roles=broker,controller
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
num.network.threads=2
num.io.threads=4

# One node holds the only copy. Few partitions: each costs time at first use and at recovery.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4

# Groups start at once, and a dead member may be missed after half a second.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=1000

# What is looked at every 10 s to 10 min in production.
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
log.retention.check.interval.ms=2000
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size=16777216
log.initial.task.delay.ms=1000

# A killed broker may come back once its own session has ended.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
";

const LOG_SETTINGS: &str = "\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1}: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
";

/// How long a broker may take until it answers, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);
/// A port may be taken by another process between its choice and its use.
const START_ATTEMPTS: u32 = 3;

/// A broker of Apache Kafka. Dropped, it is gone with all its data.
pub struct ApacheKafka {
    // Dropped in this order: first the process, then its folder.
    child: Child,
    folder: TempDir,
    jars: PathBuf,
    address: SocketAddr,
}

impl ApacheKafka {
    /// Starts a broker with empty logs; returns when it answers: 2-3 s, the very first time as long
    /// as the download of its 55 MB. Errors: no Java or Maven, no network for the first time, or it
    /// does not answer.
    pub fn start() -> anyhow::Result<Self> {
        let jars = jars()?;
        let mut attempt = 1;
        loop {
            let [address, controller] = ports::free();
            let folder = tempfile::Builder::new().prefix("weir-kafka-").tempdir()?;
            write_settings(folder.path(), address, controller)?;
            format(folder.path(), &jars)?;
            let child = launch(folder.path(), &jars)?;
            let mut kafka = Self {
                child,
                folder,
                jars: jars.clone(),
                address,
            };
            match kafka.wait_until_it_answers() {
                Err(_)
                    if attempt < START_ATTEMPTS && kafka.child.log().contains("already in use") =>
                {
                    attempt += 1
                }
                result => return result.map(|()| kafka),
            }
        }
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// SIGKILL. Data and port stay for [`Self::start_again`].
    pub fn kill9(&mut self) {
        self.child.kill9();
    }

    /// Starts the killed broker on the same data and port; returns when it answers: 3-4 s, since
    /// its old session has to end first.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.child.kill9();
        self.child = launch(self.folder.path(), &self.jars)?;
        self.wait_until_it_answers()
    }

    /// The process of the broker.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let client = Client::new(&self.bootstrap());
        let answers = wait::within(START_LIMIT, || {
            if let Some(status) = self.child.ended() {
                return Some(Err(status));
            }
            client.answers(Duration::from_secs(1)).then_some(Ok(()))
        });
        match answers {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => bail!("Apache Kafka ended: {status}\n{}", self.child.log_tail()),
            None => bail!("Apache Kafka does not answer\n{}", self.child.log_tail()),
        }
    }
}

/// Why Kafka's tools cannot be run on this machine, if they cannot: no Java, or no Maven to fetch
/// them.
pub fn tools() -> anyhow::Result<()> {
    let output = java(&jars()?).arg("-version").output();
    let output = output.context("starting java: `cargo xtask setup --kafka`")?;
    ensure!(output.status.success(), "java -version: {}", output.status);
    Ok(())
}

/// Runs one of Kafka's own tools against any broker, such as `ConsumerGroupCommand` with
/// `--describe`; what it prints. `class` is a full name, `input` is what is typed, the bootstrap
/// address is added. Errors: it fails, with its words.
pub fn tool(
    bootstrap: &str,
    class: &str,
    arguments: &[&str],
    input: &str,
) -> anyhow::Result<String> {
    let mut command = java(&jars()?);
    command.args([
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-Dlog4j2.level=ERROR",
        class,
    ]);
    command
        .args(["--bootstrap-server", bootstrap])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().context("starting java")?;
    let mut typed = running.stdin.take().context("the tool's input")?;
    typed.write_all(input.as_bytes()).context("typing")?;
    drop(typed);
    let output = running.wait_with_output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{class}: {}\n{printed}{complaint}",
        output.status
    );
    Ok(printed)
}

/// The folder of the jars; fetched if this build folder has none. Two at once do no harm: a rename
/// puts them in place.
fn jars() -> anyhow::Result<PathBuf> {
    let jars = paths::target().join(format!("apache-kafka-{VERSION}"));
    if jars.is_dir() {
        return Ok(jars);
    }
    let part = tempfile::Builder::new()
        .prefix("apache-kafka-")
        .tempdir_in(paths::target())?;
    let fetched = part.path().join("jars");
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(paths::package().join("kafka/pom.xml"))
        .arg(COPY)
        .arg(format!("-DoutputDirectory={}", fetched.display()))
        .output()
        .context("starting Maven (mvn), which fetches Apache Kafka: `cargo xtask setup --kafka`")?;
    ensure!(
        output.status.success(),
        "Maven could not fetch Apache Kafka {VERSION}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    match fs::rename(&fetched, &jars) {
        Err(_) if jars.is_dir() => Ok(jars), // another process was faster
        result => result
            .map(|()| jars)
            .context("putting the jars of Apache Kafka in place"),
    }
}

fn java(jars: &Path) -> Command {
    let program = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from("java")));
    command
        .arg("-cp")
        .arg(jars.join("*"))
        .args(["-XX:+UseSerialGC", "-XX:-UsePerfData"]);
    command
}

fn settings(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

fn write_settings(
    folder: &Path,
    address: SocketAddr,
    controller: SocketAddr,
) -> anyhow::Result<()> {
    let own = format!(
        "listeners=PLAINTEXT://{address},CONTROLLER://{controller}\n\
         advertised.listeners=PLAINTEXT://{address}\n\
         controller.quorum.voters=1@{controller}\n\
         log.dirs={}\n",
        folder.join("data").display()
    );
    fs::write(settings(folder), format!("{SETTINGS}{own}"))?;
    fs::write(folder.join("log4j2.properties"), LOG_SETTINGS)?;
    Ok(())
}

/// Prepares an empty log folder for a new cluster.
fn format(folder: &Path, jars: &Path) -> anyhow::Result<()> {
    // A cluster id is 16 bytes in URL-safe base 64, of which the last character carries two bits.
    let id = format!("weir-test-{:0>11}A", std::process::id());
    let output = java(jars)
        .args([
            "-Xmx128m",
            "-XX:TieredStopAtLevel=1",
            "kafka.tools.StorageTool",
            "format",
        ])
        .args(["--cluster-id", &id, "--config"])
        .arg(settings(folder))
        .output()
        .context("starting java, which runs Apache Kafka: `cargo xtask setup --kafka`")?;
    ensure!(
        output.status.success(),
        "formatting the storage of Apache Kafka:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn launch(folder: &Path, jars: &Path) -> anyhow::Result<Child> {
    let logging = folder.join("log4j2.properties");
    let mut command = java(jars);
    command
        .args(["-Xms128m", "-Xmx512m"])
        .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
        .arg("kafka.Kafka")
        .arg(settings(folder));
    Child::spawn("apache-kafka", &mut command, folder)
}
