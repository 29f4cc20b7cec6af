use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use outbox_core::{Capabilities, Limits, Message, PublishError, Publisher};

use super::confirm::{Confirmer, NotTaken, Outgoing};
use super::connect::Settings;
use super::{names, properties, topology};
use crate::error::BrokerError;
use crate::placement;

/// Most messages of one `publish`.
const MAX_BATCH: usize = 1_000;
/// Calls at the same time: one on its way, others whose confirms are awaited.
const MAX_IN_FLIGHT: usize = 4;

/// Publishes to a [`RabbitMq`](super::RabbitMq): all of a batch at once, and then waits for each confirm. Clones share the connection.
#[derive(Clone)]
pub struct RabbitMqPublisher {
    confirmer: Arc<Confirmer>,
    settings: Arc<Settings>,
    /// The topics whose exchange is known to be there. None after something went wrong.
    known: Arc<Mutex<HashSet<String>>>,
}

impl RabbitMqPublisher {
    pub(super) fn new(confirmer: Arc<Confirmer>, settings: Arc<Settings>) -> Self {
        Self {
            confirmer,
            settings,
            known: Arc::default(),
        }
    }

    fn outgoing<'a>(&self, message: &'a Message) -> Result<Outgoing<'a>, PublishError> {
        Limits::check_topic(message.topic()).map_err(|error| PublishError::invalid(error.to_string()))?;
        let (bytes, max) = (message.payload().len(), self.settings.max_message_bytes);
        if bytes > max {
            return Err(PublishError::invalid(format!(
                "the message has {bytes} bytes, and {max} are the most (max_message_bytes)"
            )));
        }
        let properties = properties::of(message, &self.settings.mapping).map_err(PublishError::invalid)?;
        let key = names::routing_key(placement::queue(message, self.settings.queues));
        let exchange = names::exchange(&self.settings.prefix, message.topic());
        Outgoing::new(&exchange, &key, properties, message.payload())
            .map_err(|error| PublishError::invalid(error.to_string()))
    }

    /// Makes the exchange of a topic, or looks for it: publishing to one that is not there ends the channel, and with it everything
    /// else that is on its way.
    async fn ensure(&self, topic: &str) -> Result<(), BrokerError> {
        if self.known().contains(topic) {
            return Ok(());
        }
        let channel = self.confirmer.channel().await?;
        topology::topic(&channel, &self.settings, topic).await?;
        self.known().insert(topic.to_owned());
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, message: &Message, reason: NotTaken) -> PublishError {
        let exchange = names::exchange(&self.settings.prefix, message.topic());
        match reason {
            NotTaken::Unroutable => {
                let key = names::routing_key(placement::queue(message, self.settings.queues));
                PublishError::refused(format!(
                    "no consumer group has a queue for it yet: nothing is bound to the exchange {exchange:?} with the routing \
                     key {key:?}"
                ))
            }
            NotTaken::Refused => PublishError::refused(format!(
                "a queue behind the exchange {exchange:?} refused it; it is full"
            )),
            NotTaken::Unknown(error) => {
                PublishError::unavailable(format!("the exchange {exchange:?} did not take it: {error}"))
                    .with_source(error)
            }
        }
    }
}

fn unavailable(error: &BrokerError) -> PublishError {
    PublishError::unavailable(error.to_string()).with_source(error.clone())
}

#[async_trait]
impl Publisher for RabbitMqPublisher {
    fn name(&self) -> &str {
        "rabbitmq"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(MAX_IN_FLIGHT)
            .with_ordered_retry(true)
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let mut answers: Vec<Result<(), PublishError>> = Vec::with_capacity(batch.len());
        let (mut outgoing, mut places) = (Vec::new(), Vec::new());
        let mut missing: Vec<(&str, BrokerError)> = Vec::new();
        for (n, message) in batch.iter().enumerate() {
            answers.push(Ok(()));
            let sendable = match self.outgoing(message) {
                Err(error) => Err(error),
                Ok(ready) => {
                    let known = missing.iter().find(|(topic, _)| *topic == message.topic());
                    let found = match known {
                        Some((_, error)) => Err(error.clone()),
                        None => self.ensure(message.topic()).await,
                    };
                    match found {
                        Ok(()) => Ok(ready),
                        Err(error) => {
                            let answer = unavailable(&error);
                            missing.push((message.topic(), error));
                            Err(answer)
                        }
                    }
                }
            };
            match sendable {
                Ok(ready) => {
                    outgoing.push(ready);
                    places.push(n);
                }
                Err(error) => answers[n] = Err(error),
            }
        }
        if outgoing.is_empty() {
            return answers;
        }
        for (n, answer) in places.into_iter().zip(self.confirmer.publish(outgoing).await) {
            if let Err(reason) = answer {
                if matches!(reason, NotTaken::Unknown(_)) {
                    // The server may have lost what it had, and its exchanges with it.
                    self.known().clear();
                }
                answers[n] = Err(self.explain(&batch[n], reason));
            }
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        match self.confirmer.channel().await {
            Ok(_) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

impl std::fmt::Debug for RabbitMqPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMqPublisher")
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
