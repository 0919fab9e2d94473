//! A service's log: lines that the guest writes, cut and limited in number, on the tracing target
//! `service`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Limits;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// The log of one instance. Clones write to the same one.
#[derive(Clone)]
pub(super) struct Log(Arc<Mutex<Inner>>);

struct Inner {
    service: Arc<str>,
    line_bytes: usize,
    lines_per_second: u32,
    second: Instant,
    lines: u32,
    dropped: u64,
    /// The last error of the running call: a guest that panics says why, then traps.
    last_error: Option<String>,
}

impl Log {
    pub(super) fn new(service: Arc<str>, limits: &Limits) -> Log {
        Log(Arc::new(Mutex::new(Inner {
            service,
            line_bytes: limits.log_line_bytes,
            lines_per_second: limits.log_lines_per_second,
            second: Instant::now(),
            lines: 0,
            dropped: 0,
            last_error: None,
        })))
    }

    /// Writes a line, unless there were too many in this second.
    pub(super) fn line(&self, level: Level, text: &str) {
        let mut log = self.0.lock();
        let text = cut(text, log.line_bytes);
        if level == Level::Error {
            log.last_error = Some(text.to_owned());
        }
        if log.second.elapsed() >= Duration::from_secs(1) {
            log.second = Instant::now();
            log.lines = 0;
            let dropped = std::mem::take(&mut log.dropped);
            if dropped > 0 {
                let service = &*log.service;
                tracing::warn!(target: "service", service, dropped, "too many lines in a second");
            }
        }
        if log.lines >= log.lines_per_second {
            log.dropped += 1;
            return;
        }
        log.lines += 1;
        let service = &*log.service;
        match level {
            Level::Error => tracing::error!(target: "service", service, "{text}"),
            Level::Warn => tracing::warn!(target: "service", service, "{text}"),
            Level::Info => tracing::info!(target: "service", service, "{text}"),
            Level::Debug => tracing::debug!(target: "service", service, "{text}"),
        }
    }

    /// The last error since this was asked for.
    pub(super) fn take_error(&self) -> Option<String> {
        self.0.lock().last_error.take()
    }

    /// Bytes that a line may have.
    pub(super) fn line_bytes(&self) -> usize {
        self.0.lock().line_bytes
    }
}

/// The text, or as many whole characters of it as fit into `bytes`.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
