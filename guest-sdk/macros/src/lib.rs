//! `#[weir::service]`.
