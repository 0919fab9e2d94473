//! The contract as Rust sees it from the host's side: generated from `wit/`.
//!
//! Parameters borrow (`BatchParam<'_>`), so that a column crosses the border without a copy of its
//! own; results own.

wasmtime::component::bindgen!({
    world: "service",
    path: "../wit",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
