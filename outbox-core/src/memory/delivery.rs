use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::config::MAX_ERROR_BYTES;
use super::group::{Outcome, Taken};
use super::state::Shared;
use crate::subscriber::{Acknowledge, Delivery, ReceiveError};

/// Takes one delivery's outcome back. Dropped without one, it gives the message back.
pub(super) struct MemoryAcknowledge {
    shared: Arc<Shared>,
    group: Arc<str>,
    topic: Arc<str>,
    queue: u32,
    offset: u64,
    /// Names this delivery: the message's next one has another, and then this one's outcome is too late.
    token: u64,
    until: Option<Instant>,
    settled: bool,
}

impl MemoryAcknowledge {
    pub(super) fn deliver(shared: &Arc<Shared>, group: &Arc<str>, taken: Taken) -> Delivery {
        let acknowledge = Self {
            shared: Arc::clone(shared),
            group: Arc::clone(group),
            topic: taken.topic,
            queue: taken.queue,
            offset: taken.offset,
            token: taken.token,
            until: taken.until,
            settled: false,
        };
        Delivery::new(
            taken.kept.message.clone(),
            taken.attempt,
            taken.queue,
            taken.offset,
            Box::new(acknowledge),
        )
    }

    fn settle(&mut self, outcome: Outcome) -> Result<(), ReceiveError> {
        self.settled = true;
        let taken = self.shared.settle(
            &self.group,
            (&self.topic, self.queue),
            (self.offset, self.token),
            outcome,
        );
        if taken { Ok(()) } else { Err(ReceiveError::Fenced) }
    }
}

#[async_trait]
impl Acknowledge for MemoryAcknowledge {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.settle(Outcome::Ack)
    }

    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        let error = shortened(error).into();
        self.settle(Outcome::Retry { after, error })
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        let error = shortened(error).into();
        self.settle(Outcome::Dead { error })
    }

    fn lease_left(&self) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(Instant::now()))
    }
}

impl Drop for MemoryAcknowledge {
    fn drop(&mut self) {
        if !self.settled {
            // Too late is fine: then the message has come again already.
            let _ = self.settle(Outcome::Dropped);
        }
    }
}

/// The text, or as much of it as is kept.
fn shortened(error: &str) -> &str {
    let mut end = error.len().min(MAX_ERROR_BYTES);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    &error[..end]
}
