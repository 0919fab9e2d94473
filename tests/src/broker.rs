//! The broker that a story runs on: the embedded one, or Apache Kafka, by `WEIR_TEST_BROKER`
//! (`embedded`, `kafka`).
//!
//! A story says which kind of broker it needs, never which make. Most take one of their own
//! ([`Broker::start`]), since the names of topics and groups are the services'. [`shared`] is for
//! tests that use names of their own: it is started once for a test process and ends with it.

use std::env;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::apache_kafka::ApacheKafka;
use crate::child::Child;
use crate::client::Client;
use crate::{paths, ports, wait};

/// Which broker the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Ours: `weir broker`.
    Embedded,
    /// Apache Kafka.
    Kafka,
}

impl Make {
    /// What `WEIR_TEST_BROKER` says; embedded if it says nothing. Panics if it says something else.
    pub fn chosen() -> Self {
        match env::var("WEIR_TEST_BROKER").as_deref() {
            Err(_) | Ok("" | "embedded") => Self::Embedded,
            Ok("kafka") => Self::Kafka,
            Ok(other) => panic!("WEIR_TEST_BROKER is `embedded` or `kafka`, not `{other}`"),
        }
    }
}

/// A running broker. Dropped, it is gone with all its data.
pub struct Broker {
    running: Running,
}

enum Running {
    Embedded(Embedded),
    Kafka(ApacheKafka),
}

impl Broker {
    /// A broker without topics.
    #[track_caller]
    pub fn start() -> Self {
        let broker = Self::of(Make::chosen(), Keeps::Nothing);
        broker.unwrap_or_else(|error| panic!("starting a broker: {error:#}"))
    }

    /// A broker without topics, whose data survive [`Self::kill9`].
    #[track_caller]
    pub fn durable() -> Self {
        let broker = Self::of(Make::chosen(), Keeps::Everything);
        broker.unwrap_or_else(|error| panic!("starting a broker: {error:#}"))
    }

    /// A broker of this make without topics. Errors: it cannot be started, or does not answer.
    pub fn of(make: Make, keeps: Keeps) -> anyhow::Result<Self> {
        let running = match make {
            Make::Embedded => Running::Embedded(Embedded::start(keeps)?),
            Make::Kafka => Running::Kafka(ApacheKafka::start()?),
        };
        Ok(Self { running })
    }

    /// `host:port`, for a client's `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        match &self.running {
            Running::Embedded(broker) => broker.bootstrap(),
            Running::Kafka(broker) => broker.bootstrap(),
        }
    }

    /// A plain client of this broker.
    pub fn client(&self) -> Client {
        Client::new(&self.bootstrap())
    }

    /// SIGKILL.
    pub fn kill9(&mut self) {
        self.child().kill9();
    }

    /// Starts the killed broker at the same address, with its data if it is [`Self::durable`];
    /// returns when it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        let result = match &mut self.running {
            Running::Embedded(broker) => broker.start_again(),
            Running::Kafka(broker) => broker.start_again(),
        };
        result.unwrap_or_else(|error| panic!("starting the broker again: {error:#}"));
    }

    /// The process of the broker, to be frozen, killed or read.
    pub fn child(&mut self) -> &mut Child {
        match &mut self.running {
            Running::Embedded(broker) => &mut broker.child,
            Running::Kafka(broker) => broker.child(),
        }
    }
}

/// The broker that all tests of this process share: use names of topics and groups that no other
/// test uses.
#[track_caller]
pub fn shared() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(Broker::start)
}

/// Whether an embedded broker's data outlive its process. Apache Kafka's always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// They are in memory.
    Nothing,
    /// They are in its folder.
    Everything,
}

/// `weir broker`.
struct Embedded {
    // Dropped in this order: first the process, then its folder.
    child: Child,
    folder: TempDir,
    address: String,
    keeps: Keeps,
}

impl Embedded {
    fn start(keeps: Keeps) -> anyhow::Result<Self> {
        let [address] = ports::free();
        let address = address.to_string();
        let folder = tempfile::Builder::new().prefix("weir-broker-").tempdir()?;
        let child = Self::launch(&folder, &address, keeps)?;
        let mut broker = Self {
            child,
            folder,
            address,
            keeps,
        };
        broker.wait_until_it_answers()?;
        Ok(broker)
    }

    fn bootstrap(&self) -> String {
        self.address.clone()
    }

    fn start_again(&mut self) -> anyhow::Result<()> {
        self.child.kill9();
        self.child = Self::launch(&self.folder, &self.address, self.keeps)?;
        self.wait_until_it_answers()
    }

    fn launch(folder: &TempDir, address: &str, keeps: Keeps) -> anyhow::Result<Child> {
        let mut command = Command::new(paths::weir());
        command
            .args(["broker", "--listen", address])
            .current_dir(folder.path());
        if keeps == Keeps::Everything {
            command.arg("--data").arg(folder.path().join("data"));
        }
        Child::spawn("weir-broker", &mut command, folder.path())
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let client = Client::new(&self.address);
        wait::within(wait::SOON, || {
            if let Some(status) = self.child.ended() {
                return Some(Err(status));
            }
            client.answers(wait::SOON / 60).then_some(Ok(()))
        })
        .context("it does not answer")?
        .or_else(|status| bail!("it ended: {status}\n{}", self.child.log_tail()))
    }
}
