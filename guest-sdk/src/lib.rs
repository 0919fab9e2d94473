//! Write a weir service with closures over your own types.
//!
//! A service is a function that declares a topology; [`macro@service`] makes a component of it.
//! What flows through it are the author's own types, written and read by serde ([`mod@format`] says
//! how); batches, columns and bytes stay with the SDK.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use weir::{Topology, testing::Driver};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Sale { product: String, pieces: i64 }
//!
//! #[weir::service]
//! fn best_sellers(t: &mut Topology) {
//!     t.stream::<String, Sale>("sales")
//!         .filter(|sale| sale.pieces > 0)
//!         .group_by("sales-by-product", |sale| sale.product.clone())
//!         .aggregate("sold", || 0_i64, |sold, sale| *sold += sale.pieces)
//!         .to_stream()
//!         .to("best-sellers");
//! }
//!
//! let mut driver = Driver::new(best_sellers);
//! for pieces in [2, 0, 3] {
//!     let product = "socks".to_owned();
//!     driver.topic("sales").send("till 1".to_owned(), Sale { product, pieces });
//! }
//! let sold = driver.topic::<String, i64>("best-sellers").read();
//! assert_eq!(sold, [("socks".to_owned(), 2), ("socks".to_owned(), 5)]);
//! ```
//!
//! The map: [`Topology`] is where streams, tables, stores and routes begin; [`Stream`] has the
//! operators; [`Context`], [`Command`] and [`Query`] are what processors and routes have at hand;
//! [`testing`] runs a service on the real engine, without Wasm and without Kafka.

extern crate self as weir;

mod config;
mod context;
pub mod format;
mod http;
pub mod log;
mod process;
mod route;
mod row;
pub mod serdes;
mod state;
mod stream;
mod suppress;
mod table;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod topology;

#[cfg(any(test, all(target_arch = "wasm32", feature = "allocator")))]
mod allocator;
#[doc(hidden)]
pub mod bindings;
mod columns;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod component;
mod duration;
mod fold;
mod function;
mod graph;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod service;

pub use weir_macros::service;

pub use columns::Headers;
pub use config::Setting;
pub use context::{Command, Context, Forward, Query};
pub use format::{Data, Json, Session, Windowed};
pub use http::{Request, Response};
pub use process::{Process, Schedule, Verdict};
pub use route::{Route, Topic};
pub use row::Row;
pub use state::{Store, Stores};
pub use stream::{
    Cogroup, CogroupSessions, Group, JoinWindows, SessionWindows, Sessions, SlidingWindows, Stream,
    TimeWindows, WindowedCogroup, WindowedGroup, Windows,
};
pub use suppress::Suppressed;
pub use table::{GlobalTable, GroupedTable, Table};
pub use topology::Topology;
