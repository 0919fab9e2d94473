//! HTTP: the door of axum, and of the client that forwards requests to other hosts.
//!
//! What stands behind it is a [`Gateway`]: it knows the routes of the services and takes requests.
//! Here a request is read within its limits, matched to a route, asked, and forwarded (at most one
//! hop) where another host owns its key.

mod admin;
mod client;
mod error;
mod forward;
mod gateway;
mod incoming;
mod routes;
mod server;
mod shared;

pub use client::{Client, Error as HttpError};
pub use gateway::{Answer, Gateway, Readiness, Route};
pub use server::Server;
pub use shared::Options;
