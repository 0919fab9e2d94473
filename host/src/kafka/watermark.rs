//! The high watermark of a partition, as the broker's last answer to a fetch told it.
#![expect(unsafe_code, reason = "rdkafka has no safe call for it")]

use std::ffi::CString;

use rdkafka::bindings::rd_kafka_get_watermark_offsets;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;

use super::context::Context;
use super::lanes::raw;

/// The offset after the last one of a partition that `consumer` reads; `None`: no broker has told
/// yet. Asks nobody.
pub(super) fn high(consumer: &BaseConsumer<Context>, topic: &str, partition: u32) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client lives as long as `consumer`, the name ends with a zero, and both places are
    // written before the call returns.
    let outcome = unsafe {
        rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            raw(partition),
            &raw mut low,
            &raw mut high,
        )
    };
    (outcome == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}
