//! The driver: a service on the real engine.

use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use weir_core::functions::Response;
use weir_core::task::DeadLetter;
use weir_core::testing as engine;

use super::Topic;
use crate::format::{self, Data};
use crate::native::Native;
use crate::serdes::{Codecs, Topics};
use crate::topology::Topology;

/// What a test chooses before the service starts.
pub struct Setup {
    name: String,
    partitions: u32,
    config: Vec<(String, String)>,
}

impl Setup {
    /// Partitions of each topic; 4 unless the test says otherwise.
    pub fn partitions(self, partitions: u32) -> Setup {
        Setup { partitions, ..self }
    }

    /// The name that the service is deployed under; without it, its function's.
    pub fn name(self, name: &str) -> Setup {
        let name = name.to_owned();
        Setup { name, ..self }
    }

    /// A setting.
    pub fn config(mut self, name: &str, value: &str) -> Setup {
        self.config.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the service. Errors: all that is wrong with it.
    pub fn start(self, service: impl Fn(&mut Topology) + 'static) -> Result<Driver, String> {
        let (native, description) = Native::new(Rc::new(service), self.config)?;
        let serdes = native.serdes();
        engine::Driver::new(&self.name, &description, self.partitions, native)
            .map(|engine| Driver { engine, serdes })
            .map_err(|errors| errors.to_string())
    }
}

/// A service under test: topics of four partitions, a clock that stands still, one transaction for
/// each round of work.
pub struct Driver {
    pub(super) engine: engine::Driver,
    pub(super) serdes: Topics,
}

impl Driver {
    /// Starts a service without settings. Panics with all that is wrong with it.
    #[track_caller]
    pub fn new<F: Fn(&mut Topology) + 'static>(service: F) -> Driver {
        let setup = Driver::setup().name(&name_of(std::any::type_name::<F>()));
        match setup.start(service) {
            Ok(driver) => driver,
            Err(mistakes) => panic!("the service cannot start: {mistakes}"),
        }
    }

    /// Choices first; end with [`Setup::start`].
    pub fn setup() -> Setup {
        Setup {
            name: "service".to_owned(),
            partitions: 4,
            config: Vec::new(),
        }
    }

    /// A topic, to write to it and to read it, in the service's serdes for it.
    pub fn topic<K: Data, V: Data>(&mut self, name: &str) -> Topic<'_, K, V> {
        Topic::new(self, name)
    }

    #[track_caller]
    pub(super) fn codecs<K: Data, V: Data>(&self, topic: &str) -> Codecs<K, V> {
        let seen = self.serdes.seen_as(topic);
        seen.unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    /// Sends a request: a command is committed before it is answered. Panics if a query has no
    /// answer yet.
    #[track_caller]
    pub fn request<B: Serialize + ?Sized>(&mut self, method: &str, path: &str, body: &B) -> Answer {
        let body = serde_json::to_vec(body).unwrap_or_else(|error| panic!("the body: {error}"));
        self.ask(method, path, &body)
            .unwrap_or_else(|| panic!("{method} {path}: no answer yet"))
    }

    /// The answer of a GET, if there is one yet.
    pub fn get(&mut self, path: &str) -> Option<Answer> {
        self.ask("GET", path, b"")
    }

    /// Sends a request with any body; `None`: a query that has no answer yet.
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        let response = self.engine.request(method, path, body);
        response.map(|response| Answer { response })
    }

    /// The committed entries of a store, in the order of their keys' bytes.
    #[track_caller]
    pub fn store<K: Data, V: Data>(&self, name: &str) -> Vec<(K, V)> {
        let entries = self.engine.store(name);
        let entry = |(key, value, _): (Vec<u8>, Vec<u8>, i64)| {
            let key = format::decode_key(Some(&key));
            let value = format::decode_value(Some(&value));
            match (key, value) {
                (Ok(key), Ok(value)) => (key, value),
                (Err(error), _) | (_, Err(error)) => panic!("store `{name}`: {error}"),
            }
        };
        entries.into_iter().map(entry).collect()
    }

    /// Rows that failed since the last look.
    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        self.engine.dead_letters()
    }

    /// Moves the wall clock, in milliseconds; what is due runs.
    pub fn advance(&mut self, milliseconds: i64) {
        self.engine.advance(milliseconds);
    }

    /// Lets the engine work on rows that were queued until everything stands still.
    pub fn run(&mut self) {
        self.engine.run();
    }

    /// Ends the transaction, and no more: rows that it wrote are not yet read back.
    pub fn commit(&mut self) {
        self.engine.commit();
    }

    /// From now on nothing is committed before [`Driver::commit`].
    pub fn hold_commits(&mut self) {
        self.engine.hold_commits();
    }

    /// Commits what was held back, and each round again.
    pub fn release_commits(&mut self) {
        self.engine.release_commits();
    }

    /// The process dies: what was not committed never happened; then it comes back.
    pub fn crash(&mut self) {
        self.engine.crash();
    }

    /// The machine dies: stores are restored from their changelogs.
    pub fn lose_state(&mut self) {
        self.engine.lose_state();
    }

    /// The topology, as Kafka Streams would describe it.
    pub fn describe(&self) -> String {
        self.engine.topology().describe()
    }
}

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    response: Response,
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .response
            .headers
            .iter()
            .find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.response.body).into_owned()
    }

    /// The body, read as JSON.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.response.body)
            .unwrap_or_else(|error| panic!("the body `{}`: {error}", self.text()))
    }
}

/// "orders::order_details" → "order-details"; closures have no name.
fn name_of(function: &str) -> String {
    let name = function.rsplit("::").next().unwrap_or_default();
    if name.is_empty() || name.contains('{') {
        return "service".to_owned();
    }
    name.replace('_', "-")
}
