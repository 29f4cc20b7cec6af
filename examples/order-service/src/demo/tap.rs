//! Counts what goes from the relay to the queue.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use outbox_core::{Capabilities, Message, MessageId, PublishError, Publisher};

/// A publisher that remembers what the one behind it has taken. Clones share the memory.
#[derive(Clone)]
pub(super) struct Tap {
    queue: Arc<dyn Publisher>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    ids: HashSet<MessageId>,
    deliveries: u64,
}

impl Tap {
    pub(super) fn new(queue: Arc<dyn Publisher>) -> Self {
        Self {
            queue,
            taken: Arc::default(),
        }
    }

    /// How many messages arrived, each counted once.
    pub(super) fn messages(&self) -> u64 {
        self.taken().ids.len() as u64
    }

    /// How often one arrived, repetitions included.
    pub(super) fn deliveries(&self) -> u64 {
        self.taken().deliveries
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut taken = self.taken();
        for (message, answer) in batch.iter().zip(&answers) {
            if answer.is_ok() {
                taken.ids.insert(message.id());
                taken.deliveries += 1;
            }
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        self.queue.probe().await
    }
}
