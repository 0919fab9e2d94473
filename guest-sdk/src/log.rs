//! The service's log: lines that the host takes, with its level. Natively they go to the standard
//! error.

/// Something is wrong that nobody else will mend.
pub fn error(text: impl AsRef<str>) {
    write(Level::Error, text.as_ref());
}

/// Something is odd.
pub fn warn(text: impl AsRef<str>) {
    write(Level::Warn, text.as_ref());
}

/// Something worth knowing happened.
pub fn info(text: impl AsRef<str>) {
    write(Level::Info, text.as_ref());
}

/// For whoever is looking for a mistake.
pub fn debug(text: impl AsRef<str>) {
    write(Level::Debug, text.as_ref());
}

#[cfg(target_arch = "wasm32")]
use crate::bindings::weir::service::host::Level;

#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, text: &str) {
    crate::bindings::weir::service::host::log(level, text);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, text: &str) {
    eprintln!("{level:?}: {text}");
}
