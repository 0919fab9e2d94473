//! weir SDK
pub mod bindings;
mod columns;
pub mod format;
