//! What librdkafka's clients tell their host: log lines, lost brokers, and that there is something
//! to do.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Called, from any thread, when a client has something for its worker. It must only wake: never
/// block, never call Kafka.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The context of clients that need nothing but this.
#[derive(Clone, Default)]
pub(super) struct Context {
    trouble: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// The last word on lost brokers since it was last asked for, to explain a time-out with.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().take()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(Code::PartitionEOF)) {
            return;
        }
        tracing::debug!(target: "weir::kafka", %error, reason, "client error");
        *self.trouble.lock() = Some(reason.to_owned());
    }
}

impl ConsumerContext for Context {}

/// librdkafka's words in weir's log. It repeats itself while brokers are away, so its errors are
/// not weir's.
pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "weir::kafka", facility, message);
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "weir::kafka", facility, message);
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::debug!(target: "weir::kafka", facility, message);
        }
        RDKafkaLogLevel::Debug => tracing::trace!(target: "weir::kafka", facility, message),
    }
}
