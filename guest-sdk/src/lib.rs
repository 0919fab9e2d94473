//! weir SDK
extern crate self as weir;

pub use weir_macros::service;

pub mod log;
mod config;
mod context;
mod duration;
pub mod format;
mod fold;
mod function;
mod graph;
mod http;
mod process;
mod route;
mod row;
mod service;
mod state;
mod stream;
mod table;
mod topology;
#[doc(hidden)]
pub mod bindings;
mod columns;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

/// For what `#[weir::service]` writes.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod component;

pub use columns::Headers;
pub use config::Setting;
pub use context::{Command, Context, Forward, Query};
pub use format::{Data, Json, Session, Windowed};
pub use http::{Request, Response};
pub use process::{Process, Schedule, Verdict};
pub use route::{Route, Topic};
pub use row::Row;
pub use state::{Store, Stores};
pub use stream::{Group, JoinWindows, SessionWindows, Sessions, Stream, TimeWindows, WindowedGroup};
pub use table::{GlobalTable, Table};
pub use topology::Topology;
