//! Programs: what stands behind a service's functions.
//!
//! A program is one version of a service: it can be described, and it makes instances, one for each
//! thread that calls it. The daemon's programs are Wasm components; tests of the runtime may use
//! closures of their own process.

use weir_core::functions::Functions;
use weir_core::topology::description::Description;

/// One version of a service.
pub trait Program: Send + Sync {
    /// What tells it from other versions, e.g. the component's SHA-256.
    fn digest(&self) -> String;

    /// What it declares under its configuration. The error is for the operator.
    fn describe(&self) -> Result<Description, String>;

    /// A fresh instance. The error is for the operator.
    fn instance(&self) -> Result<Box<dyn Guest>, String>;
}

/// The functions of one instance.
pub trait Guest: Functions + Send {
    /// Forgets whatever its memory holds, since it may know of a transaction that never happened.
    fn reset(&mut self);

    /// What is called next belongs to this task and moment: the guest's clock and its random
    /// numbers come of them.
    fn enter(&mut self, moment: Moment);
}

/// Where and when a guest is called, so that a replay calls it just so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Stream time (a request: its own), milliseconds since the epoch.
    pub time: i64,
    /// Differs from call to call, and is the same in a replay.
    pub seed: u64,
}
