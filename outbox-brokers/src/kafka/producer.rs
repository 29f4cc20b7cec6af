//! What sends records: a producer that writes each once and in order, made anew when it is broken for good.

use std::sync::{Arc, PoisonError, RwLock};

use outbox_core::PublishError;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::client::{Complaint, with};
use super::connect::Settings;
use crate::error::BrokerError;

/// Most messages and kilobytes that wait for their answers.
const BUFFERED_MESSAGES: u32 = 100_000;
const BUFFERED_KILOBYTES: u32 = 262_144;
/// How long a record waits for others, in milliseconds: a batch of ours is there at once.
const LINGER: u32 = 1;
/// How long a topic may be unknown to this client while the servers tell each other of it, in milliseconds.
const PROPAGATION: u32 = 1_000;

/// A record on its way.
pub(super) struct Record<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a str>,
    /// `None` removes what is there under the key, of a topic that keeps one record of each.
    pub(super) payload: Option<&'a [u8]>,
    pub(super) headers: OwnedHeaders,
}

/// Sends records.
pub(super) struct Sender {
    settings: Arc<Settings>,
    producer: RwLock<FutureProducer<Complaint>>,
}

impl Sender {
    pub(super) fn new(settings: Arc<Settings>) -> Result<Self, BrokerError> {
        Ok(Self {
            producer: RwLock::new(
                producer(&settings).map_err(BrokerError::server("setting the producer up"))?,
            ),
            settings,
        })
    }

    fn producer(&self) -> FutureProducer<Complaint> {
        self.producer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the servers answer.
    pub(super) async fn look(&self) -> Result<(), KafkaError> {
        let (producer, timeout) = (self.producer(), self.settings.timeout);
        let looked = tokio::task::spawn_blocking(move || producer.client().fetch_metadata(None, timeout));
        match looked.await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(KafkaError::Canceled),
        }
    }

    /// Sends one, and returns what its answer is to come by.
    pub(super) fn send(&self, record: Record<'_>) -> Result<DeliveryFuture, KafkaError> {
        let mut sent: FutureRecord<'_, str, [u8]> = FutureRecord::to(record.topic).headers(record.headers);
        sent.key = record.key;
        sent.payload = record.payload;
        self.producer().send_result(sent).map_err(|(error, _)| error)
    }

    /// Waits for the answer.
    pub(super) async fn answer(&self, sent: Result<DeliveryFuture, KafkaError>) -> Result<(), KafkaError> {
        let error = match sent {
            Err(error) => error,
            Ok(answer) => match answer.await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err((error, _))) => error,
                Err(_) => KafkaError::Canceled,
            },
        };
        self.replace_if_broken();
        Err(error)
    }

    /// Sends one and waits for its answer.
    pub(super) async fn put(&self, record: Record<'_>) -> Result<(), KafkaError> {
        let sent = self.send(record);
        self.answer(sent).await
    }

    /// A producer that writes each record once gives up for good when it can't tell any more what was written.
    fn replace_if_broken(&self) {
        if self.producer().client().fatal_error().is_none() {
            return;
        }
        let mut current = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = current.client().fatal_error() else {
            return;
        };
        tracing::warn!(%code, reason, "the producer is made anew");
        match producer(&self.settings) {
            Ok(new) => *current = new,
            Err(error) => tracing::error!(%error, "no producer could be made"),
        }
    }

    /// Whose fault it is that a record was not taken.
    pub(super) fn explain(&self, topic: &str, error: KafkaError) -> PublishError {
        use RDKafkaErrorCode as Code;
        let timeout = self.settings.timeout;
        match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => PublishError::invalid(format!(
                "the message is larger than the topic {topic} takes (message.max.bytes)"
            )),
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                self.settings.known.forget(topic);
                PublishError::unavailable(format!("there is no topic {topic}: it was removed"))
            }
            Some(Code::TopicAuthorizationFailed) => {
                PublishError::unavailable(format!("this user may not write to the topic {topic}"))
            }
            Some(Code::QueueFull) => {
                PublishError::unavailable("too much waits for the servers' answers already")
            }
            Some(Code::MessageTimedOut) => {
                PublishError::unavailable(format!("the servers did not acknowledge it within {timeout:?}"))
            }
            _ => PublishError::unavailable(format!(
                "the topic {topic} did not take it: {}",
                self.settings.complaint.explain(&error)
            )),
        }
        .with_source(error)
    }
}

fn producer(settings: &Settings) -> Result<FutureProducer<Complaint>, KafkaError> {
    let timeout = settings.timeout.as_millis();
    let config = with(
        &settings.client,
        &[
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("partitioner", "murmur2_random".to_owned()),
            ("message.timeout.ms", timeout.to_string()),
            ("request.timeout.ms", timeout.to_string()),
            ("topic.metadata.propagation.max.ms", PROPAGATION.to_string()),
            ("linger.ms", LINGER.to_string()),
            ("queue.buffering.max.messages", BUFFERED_MESSAGES.to_string()),
            ("queue.buffering.max.kbytes", BUFFERED_KILOBYTES.to_string()),
        ],
    );
    FutureProducer::from_config_and_context(&config, settings.complaint.clone())
}
