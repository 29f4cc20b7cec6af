//! The consumer's word back to the sender that a message was handled.
//!
//! In the transaction of a first one, so that it goes out exactly when the effect is committed; and for every duplicate
//! again, before the ack, because the sender may have missed the one before.

use outbox_core::confirmation::confirmation_of;
use outbox_core::{Enqueue, Message, Order};
use transaction_scope::{OpenScope, ScopedTransaction};

use super::IdempotentConsumer;
use super::failure::{Failure, enqueue_failed};
use crate::database::LedgerDatabase;

impl<DB, O, H> IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync,
{
    /// What these messages ask to be told to their senders.
    fn confirmations(&self, messages: &[&Message]) -> Vec<Message> {
        messages
            .iter()
            .filter_map(|message| confirmation_of(message, &self.group))
            .collect()
    }

    /// Confirms in the transaction of the effects.
    pub(super) async fn confirm_in(
        &self,
        tx: &mut ScopedTransaction<DB>,
        messages: &[&Message],
    ) -> Result<(), Failure> {
        let confirmations = self.confirmations(messages);
        if confirmations.is_empty() {
            return Ok(());
        }
        self.outbox
            .enqueue(tx, &confirmations, Order::Inserted)
            .await
            .map_err(enqueue_failed)
    }

    /// Confirms duplicates, in a transaction of its own if there is anything to say.
    pub(super) async fn confirm_again(&self, messages: &[&Message]) -> Result<(), Failure> {
        let confirmations = self.confirmations(messages);
        if confirmations.is_empty() {
            return Ok(());
        }
        let _turn = self.guard.turn().await?;
        let mut scope = OpenScope::new(DB::begin(self.guard.pool()).await?);
        let (tx, watch) = scope.split();
        let enqueued = self.outbox.enqueue(tx, &confirmations, Order::Inserted);
        if let Err(error) = watch.over(enqueued).await {
            scope.roll_back().await;
            return Err(enqueue_failed(error));
        }
        scope.commit().await?;
        self.outbox.committed();
        Ok(())
    }
}
