//! The contract (`wit/`), as types and exports: generated, and the only place where the SDK meets
//! it.
//!
//! Public because what `#[weir::service]` writes into the author's crate refers to it; no author
//! needs it.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    clippy::too_many_arguments,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    reason = "generated from wit/; which of these it needs depends on the target"
)]

wit_bindgen::generate!({
    world: "service",
    path: "../wit",
    pub_export_macro: true,
    default_bindings_module: "weir::bindings",
    additional_derives: [Clone, PartialEq],
});
