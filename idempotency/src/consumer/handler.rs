use async_trait::async_trait;
use outbox_core::Message;
use outbox_core::consumer::HandleError;
use transaction_scope::ScopedTransaction;

use crate::database::LedgerDatabase;

/// What is done with a message that comes for the first time.
#[async_trait]
pub trait IdempotentHandler<DB: LedgerDatabase, O>: Send + Sync + 'static {
    /// Handles one message. What it writes in `tx` and publishes through `outbox` is committed together, with the ledger's
    /// row, or none of it is. What it does elsewhere (another database, a request) is not undone and may be done again.
    ///
    /// # Errors
    /// The message was not handled, and the transaction is rolled back; [`HandleError`] says whether trying again may
    /// help.
    async fn handle(
        &self,
        message: &Message,
        tx: &mut ScopedTransaction<DB>,
        outbox: &O,
    ) -> Result<(), HandleError>;

    /// Handles several messages in one transaction, all of which come for the first time. Default: one after the other.
    ///
    /// # Errors
    /// None of them was handled, and the transaction is rolled back; they are then handled one by one.
    async fn handle_all(
        &self,
        messages: &[&Message],
        tx: &mut ScopedTransaction<DB>,
        outbox: &O,
    ) -> Result<(), HandleError>
    where
        O: Sync,
    {
        for message in messages {
            self.handle(message, tx, outbox).await?;
        }
        Ok(())
    }
}
