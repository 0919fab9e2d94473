//! The runtime: puts the engine, Kafka, the state and the guests together.
//!
//! A [`Host`] has services; a service has a supervisor and workers, which are plain threads that
//! own what flows. Requests come from async code and meet the workers in two places only: the
//! mailbox of a worker, and views of committed state.

mod blueprint;
mod host;
mod letter;
mod prepare;
mod program;
mod service;
mod shared;
mod wasm_program;

mod globals;
mod mailbox;
mod worker;

mod news;
mod owners;
mod ownership;
mod pool;
mod requests;
mod watch;

mod clock;
mod identity;
mod metrics;
mod status;

pub use blueprint::Refusal;
pub use host::{Deployed, Host, Options, StartError};
pub use program::{Guest, Moment, Program};
pub use status::Status;
