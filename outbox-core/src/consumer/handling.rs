use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::batch::BatchHandler;
use super::failure::Failure;
use super::handler::{HandleError, Handler};
use crate::subscriber::Delivery;

/// What messages are handed to, each by itself or several at once.
#[derive(Clone)]
pub(super) enum Handling {
    Each(Arc<dyn Handler>),
    Batch(Arc<dyn BatchHandler>),
}

impl Handling {
    /// Calls the handler once, within its time, and contains its panics. `batch` is one delivery where each is handled
    /// by itself.
    pub(super) async fn call(
        &self,
        batch: &[Delivery],
        timeout: Duration,
        group: &Arc<str>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        // Unwind safe: after a panic nothing of what the handler borrowed is looked at but the deliveries, which
        // it can't change.
        let mut handling = Box::pin(AssertUnwindSafe(self.handle(batch)).catch_unwind());
        let handled = tokio::time::timeout(timeout, &mut handling).await;
        // A handler that is cut off may panic in a destructor; that must not take its failure's outcome along.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(handling)));
        self.measure(batch, started.elapsed(), group);
        match handled {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Failure::Error(error)),
            Ok(Err(panic)) => Err(Failure::of_panic(&*panic)),
            Err(_) => Err(Failure::Timeout(timeout)),
        }
    }

    async fn handle(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        match self {
            Self::Each(handler) => {
                for delivery in batch {
                    handler.handle(delivery).await?;
                }
                Ok(())
            }
            Self::Batch(handler) => handler.handle_batch(batch).await,
        }
    }

    /// One value for each call, under each topic that is in it.
    fn measure(&self, batch: &[Delivery], took: Duration, group: &Arc<str>) {
        let mut topics: Vec<&Arc<str>> = batch
            .iter()
            .map(|delivery| delivery.message().shared_topic())
            .collect();
        topics.sort_unstable();
        topics.dedup();
        for topic in topics {
            metrics::histogram!("outbox_consumer_handle_seconds", "topic" => Arc::clone(topic), "group" => Arc::clone(group))
                .record(took);
        }
        if let Self::Batch(_) = self {
            metrics::histogram!("outbox_consumer_batch_messages", "group" => Arc::clone(group))
                .record(batch.len() as f64);
        }
    }
}
