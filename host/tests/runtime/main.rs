//! Stories of the runtime: rows flow, requests are decided and waited for, versions change places,
//! hosts come and go.
//!
//! The service is made of functions of this process; brokers and databases are real ones.

#![expect(clippy::unwrap_used, reason = "tests")]

mod notes;
mod stage;

mod flow;
mod lives;
mod requests;
mod swap;
