//! Appending rows to a topic, by librdkafka's handle of it.
//!
//! rdkafka's own `send` names the topic with each row: a string is made for it, and the lock of the
//! whole client is taken to look it up, against the threads that send.
#![expect(unsafe_code, reason = "rdkafka has no safe calls for it")]

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_vtype_t as argument;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR as DONE;
use rdkafka::types::{RDKafka, RDKafkaHeaders, RDKafkaTopic};

/// A producer's handle of a topic. Must be dropped before the producer.
pub(super) struct Topic {
    client: NonNull<RDKafka>,
    topic: NonNull<RDKafkaTopic>,
}

/// Lets nothing linger until nothing is left to send or acknowledge, or the time is up. (rdkafka's
/// own flush polls meanwhile, and says so for no time at all, which most threads of librdkafka
/// miss.)
pub(super) fn flush<C: ProducerContext>(producer: &BaseProducer<C>, most: Duration) {
    let most = i32::try_from(most.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client is there. What is left is seen by who counts.
    let _left = unsafe { sys::rd_kafka_flush(producer.client().native_ptr(), most) };
}

/// A row to append.
pub(super) struct Row<'r> {
    pub(super) partition: i32,
    pub(super) key: Option<&'r [u8]>,
    pub(super) value: Option<&'r [u8]>,
    pub(super) timestamp: i64,
    /// What the report of its delivery says of it.
    pub(super) opaque: usize,
}

impl Topic {
    /// `None`: no topic can have this name.
    pub(super) fn of<C: ProducerContext>(producer: &BaseProducer<C>, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        let client = NonNull::new(producer.client().native_ptr())?;
        // SAFETY: the client is there, and the name ends with a zero.
        let topic =
            unsafe { sys::rd_kafka_topic_new(client.as_ptr(), name.as_ptr(), ptr::null_mut()) };
        let topic = NonNull::new(topic)?;
        Some(Topic { client, topic })
    }

    /// Appends a row to librdkafka's queue: its key and headers are copied, its value is not.
    ///
    /// # Safety
    /// The bytes of the value stay where they are until the row's delivery was reported.
    pub(super) unsafe fn append<'h>(
        &self,
        row: &Row<'_>,
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    ) -> Result<(), Code> {
        let headers = list_of(headers)?;
        let (key, key_length) = parts(row.key);
        let (value, value_length) = parts(row.value);
        // SAFETY: the arguments are of the types that their tags say, those of C, and the list ends
        // with the tag for it. The key is copied before the call returns; the caller keeps the
        // value.
        let outcome = unsafe {
            sys::rd_kafka_producev(
                self.client.as_ptr(),
                argument::RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                argument::RD_KAFKA_VTYPE_PARTITION,
                row.partition,
                argument::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                argument::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                argument::RD_KAFKA_VTYPE_OPAQUE,
                ptr::without_provenance_mut::<c_void>(row.opaque),
                argument::RD_KAFKA_VTYPE_TIMESTAMP,
                row.timestamp,
                argument::RD_KAFKA_VTYPE_HEADERS,
                headers,
                argument::RD_KAFKA_VTYPE_END,
            )
        };
        if outcome == DONE {
            return Ok(());
        }
        free(headers);
        Err(outcome.into())
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the producer is still there, and nothing else has the handle.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}

/// The headers as librdkafka wants them; null: none. They belong to a row that was appended.
fn list_of<'h>(
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
) -> Result<*mut RDKafkaHeaders, Code> {
    let mut list: *mut RDKafkaHeaders = ptr::null_mut();
    for (name, value) in headers {
        let (value, length) = parts(value);
        // A length fits, since no slice is longer than `isize::MAX`.
        let (name_length, length) = (name.len().cast_signed(), length.cast_signed());
        // SAFETY: the list is there, and name and value are copied before the call returns.
        let outcome = unsafe {
            if list.is_null() {
                list = sys::rd_kafka_headers_new(4);
            }
            sys::rd_kafka_header_add(list, name.as_ptr().cast(), name_length, value, length)
        };
        if outcome != DONE {
            free(list);
            return Err(outcome.into());
        }
    }
    Ok(list)
}

fn free(headers: *mut RDKafkaHeaders) {
    if !headers.is_null() {
        // SAFETY: librdkafka has not taken it.
        unsafe { sys::rd_kafka_headers_destroy(headers) }
    }
}

/// A null has a null address; what is empty has not.
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| {
        (bytes.as_ptr().cast_mut().cast(), bytes.len())
    })
}
