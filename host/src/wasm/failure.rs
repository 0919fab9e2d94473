//! What went wrong in a call, in words: which limit was hit, or which trap it was, and where.

use wasmtime::{Error, Trap, WasmBacktrace};
use weir_core::functions::Failure;
use weir_core::record::Malformed;

use super::Limits;
use super::log::{Log, cut};
use super::meter::Meter;

/// A guest that used `state` as it may not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

/// A store that failed under the guest. Not the guest's doing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BackendFailed(pub(super) String);

/// The failure of a call that came back with `error`.
pub(super) fn of(error: &Error, meter: &Meter, log: &Log, limits: &Limits) -> Failure {
    if let Some(BackendFailed(reason)) = error.downcast_ref() {
        return Failure::Host(reason.clone());
    }
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(ToString::to_string)
        .unwrap_or_default();
    Failure::Trapped {
        reason: cut(&reason(error, meter, log, limits), limits.reason_bytes).to_owned(),
        backtrace: cut(&backtrace, limits.reason_bytes).to_owned(),
    }
}

/// The failure of a call whose answer is malformed.
pub(super) fn malformed(error: &Malformed) -> Failure {
    Failure::Trapped {
        reason: error.to_string(),
        backtrace: String::new(),
    }
}

fn reason(error: &Error, meter: &Meter, log: &Log, limits: &Limits) -> String {
    if let Some(Misuse(reason)) = error.downcast_ref() {
        return reason.clone();
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return format!("the guest left with status {}", exit.0);
    }
    let trap = error.downcast_ref::<Trap>();
    match trap {
        Some(Trap::Interrupt) => {
            return format!("out of time (limit {:?} a call)", limits.call_time);
        }
        Some(Trap::OutOfFuel) => {
            let fuel = limits.fuel.unwrap_or_default();
            return format!("out of fuel (limit {fuel} a call)");
        }
        Some(Trap::MemoryOutOfBounds) if !meter.memory_refused => {
            return "access outside of its memory: endless recursion, or a stray pointer"
                .to_owned();
        }
        Some(Trap::StackOverflow) => return "out of stack: endless recursion?".to_owned(),
        _ => {}
    }
    // A guest that was refused memory traps a moment later, in ways of its own.
    if meter.memory_refused {
        return format!(
            "out of memory (limit {})",
            bytesize::ByteSize(limits.memory_bytes as u64)
        );
    }
    if meter.table_refused {
        return format!("out of table elements (limit {})", limits.table_elements);
    }
    let cause = trap.map_or_else(|| error.root_cause().to_string(), ToString::to_string);
    if cause.contains("too much data is being copied") {
        let limit = bytesize::ByteSize(limits.transfer_bytes as u64);
        return format!("more data than a call may hand over (limit {limit})");
    }
    match log.take_error() {
        Some(said) if trap == Some(&Trap::UnreachableCodeReached) => said,
        _ => cause,
    }
}
