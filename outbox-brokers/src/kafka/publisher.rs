use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use outbox_core::{Capabilities, Message, PublishError, PublishErrorKind, Publisher};

use super::connect::Settings;
use super::producer::{Record, Sender};
use super::topics::{self, Needed};
use super::{names, record};
use crate::error::BrokerError;

/// Most messages of one `publish`.
const MAX_BATCH: usize = 1_000;
/// Calls at the same time: one on its way, one whose answers are awaited.
const MAX_IN_FLIGHT: usize = 4;

/// Publishes to a [`Kafka`](super::Kafka): all of a batch at once, and then waits for each answer.
pub(super) struct KafkaPublisher {
    settings: Arc<Settings>,
    sender: Arc<Sender>,
}

impl KafkaPublisher {
    pub(super) fn new(settings: Arc<Settings>, sender: Arc<Sender>) -> Self {
        Self { settings, sender }
    }

    /// Sees to it that the topic of a message is there, and returns its name.
    async fn topic(&self, message: &Message) -> Result<String, PublishError> {
        let name = names::topic(&self.settings.prefix, message.topic());
        let needed = Needed {
            name: name.clone(),
            partitions: self.settings.queues,
            compact: false,
        };
        match topics::ensure(&self.settings, vec![needed]).await {
            Ok(()) => Ok(name),
            Err(error @ BrokerError::Missing { .. }) => {
                Err(PublishError::unavailable(error.to_string()).with_source(error))
            }
            Err(error) => {
                let text = format!("the topic {name} can't be looked at: {error}");
                Err(PublishError::unavailable(text).with_source(error))
            }
        }
    }
}

#[async_trait]
impl Publisher for KafkaPublisher {
    fn name(&self) -> &str {
        "kafka"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(MAX_IN_FLIGHT)
            .with_ordered_retry(true)
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        // In their order, without waiting for any; then all answers.
        let mut sent = Vec::with_capacity(batch.len());
        let mut away = None;
        for message in batch {
            let topic = match &away {
                None => self.topic(message).await,
                Some(error) => Err(PublishError::clone(error)),
            };
            let topic = match topic {
                Ok(topic) => topic,
                Err(error) => {
                    // Whether or not others would get through: waiting for each would take too long.
                    if error.kind() == PublishErrorKind::Unavailable {
                        away = Some(error.clone());
                    }
                    sent.push(Err(error));
                    continue;
                }
            };
            let answer = self.sender.send(Record {
                topic: &topic,
                key: message.key(),
                payload: Some(message.payload()),
                headers: record::headers(&self.settings.mapping, message, &[], false),
            });
            sent.push(Ok((topic, answer)));
        }
        join_all(sent.into_iter().map(async |sent| {
            let (topic, answer) = sent?;
            let answer = self.sender.answer(answer).await;
            answer.map_err(|error| self.sender.explain(&topic, error))
        }))
        .await
    }

    async fn probe(&self) -> Result<(), PublishError> {
        self.sender.look().await.map_err(|error| {
            let text = format!(
                "the servers can't be reached: {}",
                self.settings.complaint.explain(&error)
            );
            PublishError::unavailable(text).with_source(error)
        })
    }
}
