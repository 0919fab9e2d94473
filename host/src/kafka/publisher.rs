//! Single rows outside of any transaction: a host's claims, deployments.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::cluster::Cluster;
use super::context::log_line;
use super::error::Error;
use super::lanes::Partition;
use super::producer::wait;

/// Writes rows one by one, each on all copies before the call returns.
pub struct Publisher {
    producer: BaseProducer<Answer>,
    timeout: Duration,
}

#[derive(Default)]
struct Answer(Mutex<Option<Result<(), KafkaError>>>);

impl ClientContext for Answer {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "weir::kafka", %error, reason, "publisher");
    }
}

impl ProducerContext for Answer {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        *self.0.lock() = Some(
            result
                .as_ref()
                .map(drop)
                .map_err(|(error, _)| error.clone()),
        );
    }
}

impl Publisher {
    /// Makes the producer; no request yet.
    pub fn open(cluster: &Cluster) -> Result<Publisher, Error> {
        let producer = BaseProducer::from_config_and_context(
            &cluster.settings().publisher(),
            Answer::default(),
        )
        .map_err(|error| Error::of("making a producer", &error))?;
        Ok(Publisher {
            producer,
            timeout: cluster.settings().request_timeout,
        })
    }

    /// Appends a row (a null value: a tombstone) and waits until it is safe.
    pub fn publish(
        &mut self,
        partition: &Partition,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let doing = || format!("writing to {partition}");
        let record = BaseRecord::<[u8], [u8]> {
            topic: &partition.topic,
            partition: Some(partition.raw()),
            payload: value,
            key: Some(key),
            timestamp: None,
            headers: None,
            delivery_opaque: (),
        };
        *self.producer.context().0.lock() = None;
        self.producer
            .send(record)
            .map_err(|(error, _)| Error::of(doing(), &error))?;
        let deadline = Instant::now() + self.timeout + Duration::from_secs(1);
        while Instant::now() < deadline {
            wait(&self.producer);
            if let Some(answer) = self.producer.context().0.lock().take() {
                return answer.map_err(|error| Error::of(doing(), &error));
            }
        }
        Err(Error::of_code(doing(), Code::OperationTimedOut))
    }
}
