//! What all requests share: the limits, the gateway, the client to other hosts.

use std::sync::Arc;
use std::time::Duration;

use super::client::Client;

/// Limits of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The largest request body, in bytes; above it: 413.
    pub max_body_bytes: usize,
    /// How long a request waits that names no `?timeout=ms`.
    pub default_timeout: Duration,
    /// The longest wait that may be asked for.
    pub max_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_body_bytes: 1 << 20,
            default_timeout: Duration::from_secs(10),
            max_timeout: Duration::from_secs(60),
        }
    }
}

/// What every request finds.
pub(super) struct Shared<G> {
    pub(super) gateway: Arc<G>,
    pub(super) options: Options,
    pub(super) client: Client,
}
