//! The consumer runtime: receives from a [`Subscriber`], and hands each message to a [`Handler`].
//!
//! * **In order within a key**, at the same time across keys, at most as many as
//!   [`concurrency`](ConsumerBuilder::concurrency) says. Messages without a key have no order.
//! * A message is **acknowledged after** its handler said `Ok`, and never before.
//! * A handler that fails, **panics** or takes **too long** fails its own message: that one is tried again
//!   with backoff, holding back its key only, and goes to the dead letters when its attempts are spent, or
//!   at once where trying again can't help.
//! * A message whose attempts were spent before it came (its process died at the last one, and the queue had
//!   counted it before) is not handled: it is dead at once, for the reason `spent`.
//! * What is received ahead is **bounded** in messages and bytes.
//! * A [`rate_limit`](ConsumerBuilder::rate_limit) makes a steady flow of a peak, whose backlog stays in the queue.
//! * Asked to stop, it receives nothing more, finishes what is running up to a **deadline**, and gives the
//!   rest back. When [`run`](Consumer::run) returns nothing is running any more.
//! * A [`BatchHandler`] gets several messages by one call. When a batch fails its messages are handled one by one, so that
//!   a poisonous one fails alone, and only its own attempts count.
//!
//! Metrics, by `topic` and `group`: the counters `outbox_consumer_handled_total`, `…_failed_total` (tried
//! again), `…_dead_total` and `…_unsettled_total`, one for each delivery; `…_failures_total`, also by
//! `reason` (`error`, `permanent`, `panic`, `timeout`, `spent`); the histogram `outbox_consumer_handle_seconds`,
//! one value for each call of a handler (under each topic in it, where a call is a batch); and
//! by group alone `outbox_consumer_receive_errors_total` and `outbox_consumer_rate_limited_total` (messages that the
//! rate limit kept waiting although a slot was free: where most are, the limit is what the backlog grows by),
//! and for batches the histogram `outbox_consumer_batch_messages`, how many were in each call, and
//! `outbox_consumer_batch_fallbacks_total` by `reason` (as above), batches that failed and were handled one by one. Each message has a span `process <topic>`.
//!
//! ```
//! use outbox_core::consumer::{Consumer, HandleError, StopReason};
//! use outbox_core::memory::MemoryQueue;
//! use outbox_core::{Message, Publisher};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let queue = MemoryQueue::new();
//! let subscriber = queue.subscribe("shipping", ["orders.placed"])?;
//! let consumer = Consumer::builder(subscriber, |message: Message| async move {
//!     let order: u64 = message.decode_json()?;
//!     println!("shipping order {order}");
//!     Ok(())
//! })
//! .concurrency(4)
//! .build()?;
//!
//! let stop = CancellationToken::new();
//! let running = tokio::spawn(consumer.run(stop.clone()));
//!
//! queue.publisher().publish(&[Message::builder("orders.placed").key("7").json(&7)?.build()?]).await;
//! queue.wait_idle("shipping").await;
//!
//! stop.cancel();
//! let stopped = running.await?;
//! assert_eq!((stopped.reason, stopped.handled), (StopReason::Cancelled, 1));
//! # Ok(())
//! # }
//! ```

mod batch;
mod config;
mod error;
mod failure;
mod handler;
mod handling;
mod intake;
mod lanes;
mod process;
mod process_batch;
mod progress;
mod rate;
mod run;
mod stopped;
mod work;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::subscriber::Subscriber;
pub use batch::BatchHandler;
pub use config::ConsumerBuilder;
pub use error::ConsumerError;
pub use handler::{HandleError, Handler};
use handling::Handling;
pub use stopped::{StopReason, Stopped};

/// A subscriber and a handler, ready to run; see the [module](self).
pub struct Consumer {
    subscriber: Box<dyn Subscriber>,
    handling: Handling,
    config: Arc<config::Config>,
}

impl Consumer {
    /// Starts a consumer of what `subscriber` receives.
    pub fn builder(subscriber: impl Subscriber, handler: impl Handler) -> ConsumerBuilder {
        ConsumerBuilder::new(Box::new(subscriber), Handling::Each(Arc::new(handler)))
    }

    /// Starts a consumer that hands over what `subscriber` receives in batches of at most
    /// [`batch_messages`](ConsumerBuilder::batch_messages). What [`ConsumerBuilder`] says of messages holds for batches
    /// where it says so.
    pub fn batch_builder(subscriber: impl Subscriber, handler: impl BatchHandler) -> ConsumerBuilder {
        ConsumerBuilder::new(Box::new(subscriber), Handling::Batch(Arc::new(handler)))
    }

    /// Runs until `stop` is cancelled or the subscription is closed. While the queue can't be reached it
    /// tries again, with growing waits of at most 5 seconds, for as long as it takes.
    ///
    /// When it returns, nothing is running any more, and the subscriber has left its group. A handler that
    /// blocks its thread instead of awaiting can't be aborted: it is waited for, beyond the drain deadline.
    /// Dropping the future instead aborts the handlers at their next await.
    pub async fn run(self, stop: CancellationToken) -> Stopped {
        run::run(self.subscriber, self.handling, self.config, stop).await
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("group", &self.subscriber.group())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
