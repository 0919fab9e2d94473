//! The Wasm host against real guests: what is loaded, how calls cross the border, what becomes of
//! misdeeds.

#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod guest;
mod load;
mod misdeeds;
