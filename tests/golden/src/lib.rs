//! Golden cases: topologies, rows, and what Kafka Streams answered.
//!
//! Each case below `cases` is one topology, its input rows, and the rows and stores that Kafka
//! Streams 4.3.1 made of them (in seven points mended, as the case then says). A case is read
//! ([`case`]), its topology built over the cases' small vocabulary of functions ([`topology`]), and
//! its rows replayed on the engine's test driver ([`replay`]); what stands behind the functions,
//! closures or a component, is the caller's choice.
//!
//! A case that cannot be read is a mistake in its file: the panic says where.
#![expect(
    clippy::unwrap_used,
    reason = "a malformed case is a mistake of its file, and this is a tool of tests"
)]

mod aggregates;
pub mod case;
mod functions;
mod processors;
pub mod replay;
pub mod topology;
mod value;
