use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::word::confirmation_of;
use crate::consumer::{BatchHandler, HandleError, Handler};
use crate::message::Message;
use crate::publisher::{PublishError, PublishErrorKind, Publisher};
use crate::subscriber::Delivery;

/// How long a message waits before it comes again, when its confirmation could not be published.
const QUEUE_AWAY: Duration = Duration::from_secs(1);

/// A handler that confirms what another one has handled: for consumers without a SQL transaction, in which the
/// confirmation could be an outbox row.
///
/// It publishes the confirmation after the other handler's `Ok`, and before its own, so **before the message is
/// acknowledged**: a crash in between brings the message again, and it is confirmed again.
///
/// When the queue is away, the message is given back without an attempt ([`HandleError::not_now`]) and comes again, although
/// it was handled. When the queue refuses the confirmation, that is an attempt of the message, so that it ends. **The
/// other handler has to drop what it has handled before** and answer `Ok` to it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use outbox_core::confirmation::{Confirm, Confirming};
/// use outbox_core::consumer::Consumer;
/// use outbox_core::memory::MemoryQueue;
/// use outbox_core::{Message, Publisher};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let queue = MemoryQueue::new();
/// let mut sender = queue.subscribe("sender", ["orders.confirmed"])?;
/// let handler = Confirming::new("shipping", Arc::new(queue.publisher()), |order: Message| async move {
///     println!("shipping {}", order.id());
///     Ok(())
/// });
/// let consumer = Consumer::builder(queue.subscribe("shipping", ["orders.placed"])?, handler).build()?;
/// let stop = tokio_util::sync::CancellationToken::new();
/// let running = tokio::spawn(consumer.run(stop.clone()));
///
/// let asked = Confirm::by(["shipping"], Duration::from_secs(60)).to("orders.confirmed");
/// queue.publisher().publish(&[Message::builder("orders.placed").confirm_by(asked)?.build()?]).await;
/// # use outbox_core::Subscriber;
/// assert_eq!(sender.receive(10).await?.len(), 1);
/// # stop.cancel();
/// # running.await?;
/// # Ok(())
/// # }
/// ```
pub struct Confirming<H> {
    group: Arc<str>,
    publisher: Arc<dyn Publisher>,
    /// A publisher says how many calls it takes at the same time; handlers run side by side.
    calls: Semaphore,
    handler: H,
}

impl<H> Confirming<H> {
    /// Confirms in the name of `group` what `handler` has handled, through `publisher`, which has to lead to where the senders
    /// consume.
    pub fn new(group: impl Into<Arc<str>>, publisher: Arc<dyn Publisher>, handler: H) -> Self {
        let calls = publisher
            .capabilities()
            .max_in_flight
            .clamp(1, Semaphore::MAX_PERMITS);
        Self {
            group: group.into(),
            publisher,
            calls: Semaphore::new(calls),
            handler,
        }
    }

    async fn confirm<'a>(&self, handled: impl Iterator<Item = &'a Message>) -> Result<(), HandleError> {
        // Two deliveries of one message are confirmed once: a publisher may refuse two messages of one key in a call.
        let mut seen = HashSet::new();
        let confirmations: Vec<Message> = handled
            .filter(|message| seen.insert(message.id()))
            .filter_map(|message| confirmation_of(message, &self.group))
            .collect();
        if confirmations.is_empty() {
            return Ok(());
        }
        let _call = self.calls.acquire().await?;
        for batch in confirmations.chunks(self.publisher.capabilities().max_batch.max(1)) {
            for answer in self.publisher.publish(batch).await {
                answer.map_err(not_confirmed)?;
            }
        }
        let count = confirmations.len() as u64;
        metrics::counter!("outbox_confirmations_sent_total", "group" => self.group.to_string())
            .increment(count);
        Ok(())
    }
}

fn not_confirmed(error: PublishError) -> HandleError {
    match error.kind() {
        PublishErrorKind::Unavailable => HandleError::not_now(QUEUE_AWAY, error),
        // Handled and not confirmed: the attempts bound how often that is tried.
        PublishErrorKind::Refused | PublishErrorKind::Invalid => HandleError::retryable(error),
    }
}

#[async_trait]
impl<H: Handler> Handler for Confirming<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.handler.handle(delivery).await?;
        self.confirm(std::iter::once(delivery.message())).await
    }
}

#[async_trait]
impl<H: BatchHandler> BatchHandler for Confirming<H> {
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        self.handler.handle_batch(batch).await?;
        self.confirm(batch.iter().map(Delivery::message)).await
    }
}

impl<H> fmt::Debug for Confirming<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirming")
            .field("group", &self.group)
            .field("publisher", &self.publisher.name())
            .finish_non_exhaustive()
    }
}
