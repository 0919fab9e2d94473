//! Topologies: what a service declares, checked and cut into sub-topologies.
//!
//! A [`description::Description`] is what a guest says; a compiled topology is always valid.

pub mod description;
