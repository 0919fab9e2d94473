//! Kafka's error codes, as answers carry them.

pub(crate) use kafka_protocol::error::ResponseError as Code;

/// The number on the wire: 0 for success.
pub(crate) fn number<T>(result: &Result<T, Code>) -> i16 {
    result.as_ref().err().map_or(0, Code::code)
}
