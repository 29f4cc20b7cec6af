use std::time::Duration;

use async_trait::async_trait;
use outbox_core::Delivery;
use outbox_core::confirmation::Confirmation;
use outbox_core::consumer::{BatchHandler, HandleError, Handler};

use super::Confirmations;
use crate::queue::QueueDatabase;

/// How long a confirmation waits before it comes again, while the database is away or busy.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// For the topic of the confirmations: records a batch of them in one transaction, which is many times as fast as one by one.
/// In whatever order they come, and however often; no ledger is needed. A message that is no confirmation is a permanent
/// failure; while the database is away nothing fails.
#[async_trait]
impl<DB: QueueDatabase> BatchHandler for Confirmations<DB> {
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        let confirmations = batch
            .iter()
            .map(|delivery| Confirmation::decode(delivery.message()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(HandleError::permanent)?;
        match self.record_all(&confirmations).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_retryable() => Err(HandleError::not_now(DATABASE_AWAY, error)),
            Err(error) => Err(HandleError::retryable(error)),
        }
    }
}

/// As the batch handler, for a consumer that handles them one by one.
#[async_trait]
impl<DB: QueueDatabase> Handler for Confirmations<DB> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.handle_batch(std::slice::from_ref(delivery)).await
    }
}
