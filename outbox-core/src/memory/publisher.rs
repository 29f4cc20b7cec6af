use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::budget::Usage;
use super::config::{MAX_BATCH, MAX_DELAY};
use super::state::Shared;
use crate::message::Message;
use crate::publisher::{Capabilities, PublishError, Publisher};

/// Appends to a [`MemoryQueue`](super::MemoryQueue). Clones append to the same one.
///
/// A full queue answers [`Unavailable`](crate::PublishErrorKind::Unavailable) for the whole batch: it is
/// not the message's fault, so it costs no attempt, the relay's breaker opens, and
/// [`probe`](Publisher::probe) says when there is room again.
#[derive(Clone)]
pub struct MemoryPublisher {
    shared: Arc<Shared>,
}

impl MemoryPublisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn check_room(&self, closed: bool) -> Result<(), PublishError> {
        if closed {
            return Err(PublishError::unavailable("the memory queue is closed"));
        }
        if !self.shared.budget.has_room() {
            let usage = self.shared.budget.usage();
            let capacity = self.shared.budget.capacity();
            return Err(PublishError::unavailable(format!(
                "the memory queue is full: it keeps {} messages of {} bytes, and stops at {} messages or {} bytes; \
                 a group is behind, has many dead letters, or a topic has no group at all",
                usage.messages, usage.bytes, capacity.messages, capacity.bytes
            )));
        }
        Ok(())
    }
}

#[async_trait]
impl Publisher for MemoryPublisher {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(1)
            .with_atomic_batches(true)
            .with_ordered_retry(true)
            .with_max_delay(Some(MAX_DELAY))
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let answer = if batch.len() > MAX_BATCH {
            Err(PublishError::refused(format!(
                "a batch of {} messages, at most {MAX_BATCH} are allowed",
                batch.len()
            )))
        } else {
            let mut state = self.shared.lock();
            state.make_room(weight_of(batch), &self.shared.budget);
            let room = self.check_room(state.closed);
            if room.is_ok() {
                state.append(
                    batch,
                    &self.shared.settings,
                    &self.shared.budget,
                    self.shared.clock,
                );
            }
            room
        };
        vec![answer; batch.len()]
    }

    async fn probe(&self) -> Result<(), PublishError> {
        let mut state = self.shared.lock();
        state.make_room(LEAST, &self.shared.budget);
        self.check_room(state.closed)
    }
}

/// What the smallest batch needs at least.
const LEAST: Usage = Usage {
    messages: 1,
    bytes: 1,
};

fn weight_of(batch: &[Message]) -> Usage {
    Usage {
        messages: batch.len(),
        bytes: batch.iter().map(Message::weight).sum(),
    }
}

impl fmt::Debug for MemoryPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPublisher")
            .field("usage", &self.shared.budget.usage())
            .finish_non_exhaustive()
    }
}
