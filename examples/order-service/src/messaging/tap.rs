use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use outbox_core::{Capabilities, Message, MessageId, PublishError, Publisher};

use super::trace;
use crate::groups::CONFIRM_TO;

/// The end of the queue that the relay delivers to. It writes into the log what goes past, with its trace, and remembers
/// the last message, so that it can be delivered once more. Clones share the memory.
#[derive(Clone)]
pub struct Tap {
    queue: Arc<dyn Publisher>,
    last: Arc<Mutex<Option<Message>>>,
}

impl Tap {
    /// In front of this queue.
    pub fn new(queue: Arc<dyn Publisher>) -> Self {
        Self {
            queue,
            last: Arc::default(),
        }
    }

    /// Delivers the last message once more, as a relay does that died before it could note that it had; returns which one
    /// that was, if there was one.
    ///
    /// # Errors
    /// The queue did not take it.
    pub async fn deliver_again(&self) -> Result<Option<MessageId>, PublishError> {
        let Some(message) = self.last().clone() else {
            return Ok(None);
        };
        let id = message.id();
        for answer in self.queue.publish(&[message]).await {
            answer?;
        }
        Ok(Some(id))
    }

    fn last(&self) -> MutexGuard<'_, Option<Message>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Publisher for Tap {
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.queue.capabilities()
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let answers = self.queue.publish(batch).await;
        let delivered = batch.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
        for (message, _) in delivered {
            tracing::debug!(
                topic = message.topic(),
                id = %message.id(),
                trace_id = message.trace_context().as_ref().map(trace::id),
                "delivered"
            );
            if message.topic() != CONFIRM_TO {
                *self.last() = Some(message.clone());
            }
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        self.queue.probe().await
    }
}
