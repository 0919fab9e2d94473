//! Where the stories play: topics with names of their own on the shared broker, and hosts in this
//! process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use weir_core::functions::Request;
use weir_host::config::Settings;
use weir_host::http::{Answer, Gateway};
use weir_host::kafka;
use weir_host::runtime::{Host, Options};
use weir_host::state::MemorySettings;
use weir_host::wasm::EngineOptions;
use weir_tests::client::Client;
use weir_tests::row::{NewRow, Row};
use weir_tests::{broker, wait};

use crate::notes::Notes;

/// One service's topics and state.
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) bootstrap: String,
    folder: TempDir,
}

impl Stage {
    /// Makes the topics of a service of this name.
    pub(crate) fn set(name: &str) -> Stage {
        let broker = broker::shared();
        let stage = Stage::bare(name, &broker.bootstrap());
        for topic in Notes::topics(name) {
            stage.client.create_topic(&topic, 4, &[]);
        }
        stage
    }

    /// The same without topics.
    pub(crate) fn bare(name: &str, bootstrap: &str) -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let (name, bootstrap) = (name.to_owned(), bootstrap.to_owned());
        Stage {
            name,
            client: Client::new(&bootstrap),
            bootstrap,
            folder,
        }
    }

    pub(crate) fn state(&self, host: &str) -> PathBuf {
        self.folder.path().join(host)
    }

    pub(crate) fn options(&self, host: &str) -> Options {
        let mut kafka = kafka::Settings::new(self.bootstrap.as_str());
        kafka.session_timeout = Duration::from_secs(6);
        kafka.request_timeout = Duration::from_secs(3);
        Options {
            cluster: self.name.clone(),
            kafka,
            state: self.state(host),
            address: format!("{host}:80"),
            memory: MemorySettings::default(),
            engine: EngineOptions::default(),
        }
    }

    /// A host in the folder of this name; it runs nothing yet.
    pub(crate) fn host(&self, host: &str) -> Arc<Host> {
        Host::start(self.options(host)).unwrap_or_else(|error| panic!("starting a host: {error}"))
    }

    /// A host that runs the service.
    pub(crate) fn running(&self, host: &str, workers: u32) -> Arc<Host> {
        let host = self.host(host);
        let settings = Settings {
            workers,
            ..Settings::default()
        };
        let deployed = host.deploy_program(&self.name, Notes::new(&self.name, "v1:"), &settings);
        deployed.unwrap_or_else(|error| panic!("deploying: {error}"));
        self.wait_for_tasks(&[&host], 8);
        host
    }

    /// Until these hosts together run so many tasks.
    pub(crate) fn wait_for_tasks(&self, hosts: &[&Arc<Host>], tasks: usize) {
        wait::until("all tasks run", || {
            let of = |host: &&Arc<Host>| host.tasks().get(&self.name).map_or(0, Vec::len);
            (hosts.iter().map(of).sum::<usize>() == tasks).then_some(())
        });
    }

    pub(crate) fn topic(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    pub(crate) fn send(&self, rows: &[(&str, &str)]) {
        let rows = rows.iter().map(|(key, value)| NewRow::new(*key, *value));
        self.client.produce(&self.topic("in"), rows);
    }

    /// The rows of an output topic, once there are so many.
    pub(crate) fn read(&self, what: &str, rows: usize) -> Vec<Row> {
        self.client
            .read_until(&self.topic(what), |all| all.len() >= rows)
    }

    /// The last count of a key.
    pub(crate) fn count(&self, key: &str) -> u64 {
        let rows = self.client.read(&self.topic("counts"));
        let last = rows.iter().rev().find(|row| row.key_text() == key);
        let bytes = last.and_then(|row| row.value.clone());
        bytes.map_or(0, |bytes| {
            u64::from_be_bytes(bytes.try_into().expect("a count has 8 bytes"))
        })
    }
}

/// A request to a route of the service.
pub(crate) async fn ask(
    host: &Host,
    method: &str,
    path: &str,
    id: &str,
    body: &str,
    within: Duration,
) -> Answer {
    let routes = host.routes();
    let route = routes
        .iter()
        .find(|route| route.method == method && route.path == path);
    let route = route.expect("the route is declared").clone();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let request = Request {
        method: method.to_owned(),
        path: path.replace("{id}", id),
        parameters: vec![("id".to_owned(), id.to_owned())],
        body: body.as_bytes().to_vec(),
        // Now: the broker deletes rows that are as old as its retention.
        time: now.as_millis() as i64,
        unique: "00000000000000000000000000000000".to_owned(),
        ..Request::default()
    };
    host.ask(&route, request, Instant::now() + within).await
}

/// Status and body.
pub(crate) fn told(answer: &Answer) -> String {
    match answer {
        Answer::Response(response) => {
            format!(
                "{} {}",
                response.status,
                String::from_utf8_lossy(&response.body)
            )
        }
        other => format!("{other:?}"),
    }
}
