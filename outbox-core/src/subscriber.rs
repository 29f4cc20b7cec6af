use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::message::Message;

/// Where a consumer group's deliveries come from.
#[async_trait]
pub trait Subscriber: Send + 'static {
    /// Waits for at least one delivery and returns at most `max` of them, in order within each queue.
    ///
    /// Several of one key may come at once, in their order; whoever receives them handles them one after
    /// the other. After a retry was taken ([`Delivery::retry`] returned `Ok`) `receive` returns no later
    /// message of that key before the failed one; later ones that are out already are to be dropped.
    ///
    /// Dropping the future loses nothing: what it would have returned comes again.
    ///
    /// # Errors
    /// The queue can't be reached ([`ReceiveError::Unavailable`]: call again after a while) or this
    /// subscriber is no longer a member ([`ReceiveError::Closed`]).
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError>;

    /// How long a delivery that is received now, and left without an outcome, surely stays this member's; after that
    /// another member may get it. A handler must need less. [`Delivery::lease_left`] says what is left of it. Default:
    /// `None`, as long as the member lives.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// The consumer group, as a label of metrics. Default: `None`.
    fn group(&self) -> Option<&str> {
        None
    }

    /// Leaves the group: outcomes that are not written down yet are, and what is not finished comes again for others
    /// at once. `receive` is [`ReceiveError::Closed`] from then on. Dropping a subscriber does as much as it can of
    /// this without waiting; a program that ends right after may leave its queues to their leases. Default: nothing.
    ///
    /// # Errors
    /// The queue can't be reached; leases do the rest.
    async fn close(&mut self) -> Result<(), ReceiveError> {
        Ok(())
    }
}

#[async_trait]
impl<S: Subscriber + ?Sized> Subscriber for Box<S> {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError> {
        (**self).receive(max).await
    }

    fn lease(&self) -> Option<Duration> {
        (**self).lease()
    }

    fn group(&self) -> Option<&str> {
        (**self).group()
    }

    async fn close(&mut self) -> Result<(), ReceiveError> {
        (**self).close().await
    }
}

/// One attempt to hand a message to a handler. It ends with an ack, a retry, or a dead letter; one that
/// is dropped comes again.
pub struct Delivery {
    message: Message,
    attempt: u32,
    queue: u32,
    offset: u64,
    acknowledge: Box<dyn Acknowledge>,
}

impl Delivery {
    /// A delivery of `message`: its `attempt` (from 1), the `queue` (a partition of the topic) and the
    /// `offset` in it, and whom to tell the outcome.
    pub fn new(
        message: Message,
        attempt: u32,
        queue: u32,
        offset: u64,
        acknowledge: Box<dyn Acknowledge>,
    ) -> Self {
        Self {
            message,
            attempt,
            queue,
            offset,
            acknowledge,
        }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The queue it came from.
    pub fn queue(&self) -> u32 {
        self.queue
    }

    /// Its offset in the queue.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How long it surely stays this member's from now on; `None` when as long as the member lives.
    pub fn lease_left(&self) -> Option<Duration> {
        self.acknowledge.lease_left()
    }

    /// Handled: it does not come again to this group. A queue may write acks down together, a moment later; one that
    /// was not written down yet when the process is killed comes again, as one does that was not acknowledged.
    ///
    /// # Errors
    /// The queue did not take the ack; the message comes again, and its handler must drop the duplicate.
    pub async fn ack(self) -> Result<(), ReceiveError> {
        self.acknowledge.ack().await
    }

    /// Failed: it comes again after `after`, and later messages of its key wait for it. `error` is kept
    /// with it and must not hold the payload.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub async fn retry(self, after: Duration, error: &str) -> Result<(), ReceiveError> {
        self.acknowledge.retry(after, error).await
    }

    /// Its attempts are spent, or it can never be handled: it goes to the group's dead letters.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub async fn dead(self, error: &str) -> Result<(), ReceiveError> {
        self.acknowledge.dead(error).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("attempt", &self.attempt)
            .field("queue", &self.queue)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// Takes the outcome of one delivery back to its queue. Implemented by each adapter.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// See [`Delivery::ack`].
    async fn ack(self: Box<Self>) -> Result<(), ReceiveError>;
    /// See [`Delivery::retry`].
    async fn retry(self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError>;
    /// See [`Delivery::dead`].
    async fn dead(self: Box<Self>, error: &str) -> Result<(), ReceiveError>;
    /// See [`Delivery::lease_left`]. Default: `None`.
    fn lease_left(&self) -> Option<Duration> {
        None
    }
}

/// Why nothing was received, or an outcome was not taken.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The queue can't be reached now.
    #[error("the queue can't be reached: {message}")]
    Unavailable {
        /// What happened.
        message: Arc<str>,
        /// The cause.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
    /// The queue was shut down, or this member was removed: nothing more will come.
    #[error("the subscription is closed")]
    Closed,
    /// The delivery was handed to another member meanwhile; this outcome counts for nothing.
    #[error("the delivery belongs to another member by now")]
    Fenced,
}

/// Object safety is part of the contract: a subscriber is chosen at run time.
fn _obj_safe(_: &dyn Subscriber, _: &dyn Acknowledge) {}
