//! The queue of one partition that a consumer reads: its rows come many at a time.
//!
//! rdkafka's own queue gives one row at a time, in an event that is allocated for it, and does not
//! tell how far the broker's answers go; both are needed for every row.
#![expect(unsafe_code, reason = "rdkafka has no safe calls for it")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::str::Utf8Error;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR as DONE;
use rdkafka::types::{RDKafka, RDKafkaMessage, RDKafkaQueue};

use super::context::{Context, Wake};

/// Rows that one call takes at most.
const CHUNK: usize = 64;

/// The rows of one partition that were fetched and not taken.
pub(super) struct Queue {
    queue: NonNull<RDKafkaQueue>,
    topic: CString,
    partition: i32,
    /// librdkafka calls it by its address.
    _wake: Box<Wake>,
    /// Lives longer than its queues.
    consumer: Arc<BaseConsumer<Context>>,
}

/// A name and a value.
type Header<'m> = (&'m str, Option<&'m [u8]>);

/// A row, for as long as it is looked at.
pub(super) struct Message(NonNull<RDKafkaMessage>);

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}

impl Queue {
    /// The queue of a partition, from now on apart from that of all others; `wake` is called when
    /// something comes into it. `None`: no topic can have this name.
    pub(super) fn split(
        consumer: &Arc<BaseConsumer<Context>>,
        topic: &str,
        partition: i32,
        wake: &Wake,
    ) -> Option<Queue> {
        let topic = CString::new(topic).ok()?;
        let wake = Box::new(Arc::clone(wake));
        // SAFETY: the client is there and the name ends with a zero; `ring` gets the address of
        // `wake`, which stays where it is until the queue is dropped.
        let queue = unsafe {
            let client = consumer.client().native_ptr();
            let queue = sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition);
            let queue = NonNull::new(queue)?;
            sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut());
            let address = ptr::from_ref::<Wake>(&wake).cast_mut().cast::<c_void>();
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), address);
            queue
        };
        Some(Queue {
            queue,
            topic,
            partition,
            _wake: wake,
            consumer: Arc::clone(consumer),
        })
    }

    /// Takes some of the rows that are there, at most `most`, and shows each, or the error that
    /// stands in its place. Never waits. Returns how many there were; 0: none was left.
    pub(super) fn take(&self, most: usize, mut show: impl FnMut(Result<&Message, Code>)) -> usize {
        let mut messages = [ptr::null_mut(); CHUNK];
        let most = most.min(CHUNK);
        // SAFETY: the queue is there, and `most` places for messages are.
        let taken = unsafe {
            let to = messages.as_mut_ptr();
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, to, most)
        };
        let taken = usize::try_from(taken).unwrap_or(0);
        for message in messages.into_iter().take(taken).filter_map(NonNull::new) {
            let message = Message(message);
            match message.raw().err {
                DONE => show(Ok(&message)),
                error => show(Err(error.into())),
            }
        }
        taken
    }

    /// How many offsets the broker's last answer knew after those that were taken, be it of rows or
    /// of transactions that are still open. `None`: it is not known. Asks nobody.
    pub(super) fn behind(&self) -> Option<i64> {
        let client = self.consumer.client().native_ptr();
        let (mut low, mut high) = (-1, -1);
        let topic = self.topic.as_ptr();
        // SAFETY: the client is there, the name ends with a zero, the places are written before
        // the calls return, and the list is freed after it was read.
        let position = unsafe {
            let (low, high) = (&raw mut low, &raw mut high);
            let partition = self.partition;
            let told = sys::rd_kafka_get_watermark_offsets(client, topic, partition, low, high);
            let list = sys::rd_kafka_topic_partition_list_new(1);
            let element = sys::rd_kafka_topic_partition_list_add(list, topic, partition);
            let known = told == DONE && sys::rd_kafka_position(client, list) == DONE;
            let position = (*element).offset;
            sys::rd_kafka_topic_partition_list_destroy(list);
            known.then_some(position)?
        };
        (high >= 0 && position >= 0).then_some(high - position)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: nothing else has the handle; `ring` is no longer called once the first call has
        // returned.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

unsafe extern "C" fn ring(_: *mut RDKafka, wake: *mut c_void) {
    // SAFETY: see `Queue::split`.
    let wake = unsafe { &*wake.cast::<Wake>() };
    wake();
}

impl Message {
    fn raw(&self) -> &RDKafkaMessage {
        // SAFETY: librdkafka made it, and it is destroyed with this value.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: the key lies there as long as the message.
        unsafe { bytes(raw.key, raw.key_len) }
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: the value lies there as long as the message.
        unsafe { bytes(raw.payload, raw.len) }
    }

    /// Milliseconds since the epoch; -1: it has none.
    pub(super) fn timestamp(&self) -> i64 {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is there, and a place for the kind.
        unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &raw mut kind) }
    }

    /// Names and values, in order. Errors: a name that is not utf-8.
    pub(super) fn headers(&self) -> Result<Vec<Header<'_>>, Utf8Error> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is there, and a place for the list.
        let read = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &raw mut headers) };
        if read != DONE || headers.is_null() {
            return Ok(Vec::new());
        }
        let header = |index| {
            let (mut name, mut value, mut length) = (ptr::null::<c_char>(), ptr::null(), 0);
            // SAFETY: the list, with its names and values, lives as long as the message; names end
            // with a zero.
            unsafe {
                let (name_at, value_at) = (&raw mut name, &raw mut value);
                let length_at = &raw mut length;
                let got =
                    sys::rd_kafka_header_get_all(headers, index, name_at, value_at, length_at);
                (got == DONE).then(|| {
                    let name = CStr::from_ptr(name).to_str()?;
                    Ok((name, bytes(value.cast_mut(), length)))
                })
            }
        };
        (0..).map_while(header).collect()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it is destroyed once, here.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// `None` for a null.
///
/// # Safety
/// `length` bytes must lie at `start`, unless it is null, for as long as they are borrowed.
unsafe fn bytes<'b>(start: *mut c_void, length: usize) -> Option<&'b [u8]> {
    // SAFETY: as above.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}
