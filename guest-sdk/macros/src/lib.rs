//! guest-sdk/macros
