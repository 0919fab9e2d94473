//! Whether the brokers are there: asked again and again for readiness, also when nothing flows.
//!
//! The cluster is asked as a client asks it. Only when there is no answer each broker is knocked
//! at, to tell those that are gone from those that are there and silent.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::cluster::Cluster;

/// How long an answer may take. A broker that needs longer is of no use to whoever waits.
const ANSWER: Duration = Duration::from_millis(1500);

/// How long a connection may take.
const CONNECTION: Duration = Duration::from_millis(300);

/// More brokers than these are counted, not named.
const MOST_NAMED: usize = 8;

/// The brokers, as one host last saw them.
pub struct Presence {
    cluster: Arc<Cluster>,
    /// `host:port` each.
    known: Vec<String>,
}

impl Presence {
    /// Of the brokers that the operator has named, until they have named all.
    pub fn of(cluster: Arc<Cluster>) -> Presence {
        let known = cluster.settings().addresses().collect();
        Presence { cluster, known }
    }

    /// Asks; takes 2 s or so at most. Errors: a text that names the brokers that do not answer.
    pub fn look(&mut self) -> Result<(), String> {
        match self.cluster.observer.fetch_metadata(None, ANSWER) {
            Ok(metadata) => {
                let brokers = metadata.brokers().iter();
                self.known = brokers
                    .map(|broker| format!("{}:{}", broker.host(), broker.port()))
                    .collect();
                Ok(())
            }
            Err(_time_out) => Err(self.missing()),
        }
    }

    fn missing(&self) -> String {
        let named = self.known.iter().take(MOST_NAMED);
        let named: Vec<String> = named
            .map(|broker| match knock(broker) {
                Ok(()) => format!("{broker} (connected, but silent for {ANSWER:?})"),
                Err(reason) => format!("{broker} ({reason})"),
            })
            .collect();
        let more = match self.known.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "brokers do not answer: {}{more}; weir keeps trying",
            named.join(", ")
        )
    }
}

fn knock(broker: &str) -> Result<(), String> {
    let addresses = broker
        .to_socket_addrs()
        .map_err(|error| error.to_string())?;
    let mut reason = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECTION) {
            Ok(_there) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                "connection refused".clone_into(&mut reason);
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}
