use std::future::Future;

use outbox_core::Message;
use outbox_core::consumer::HandleError;
use transaction_scope::ScopedTransaction;

use super::{IdempotentHandler, PreparedHandler};
use crate::database::LedgerDatabase;

/// What is to be done with messages that come for the first time, in two steps.
pub(super) trait Preparation<DB: LedgerDatabase, O>: Send {
    /// The second step.
    type Step: Step<DB, O>;

    /// The first one, before the transaction.
    fn prepare(self) -> impl Future<Output = Result<Self::Step, HandleError>> + Send;
}

/// The step in the transaction.
pub(super) trait Step<DB: LedgerDatabase, O>: Send {
    /// Does it.
    fn run(
        self,
        tx: &mut ScopedTransaction<DB>,
        outbox: &O,
    ) -> impl Future<Output = Result<(), HandleError>> + Send;
}

/// Nothing before the transaction.
pub(super) struct Handle<'a, H> {
    pub(super) handler: &'a H,
    pub(super) messages: &'a [&'a Message],
}

impl<DB, O, H> Preparation<DB, O> for Handle<'_, H>
where
    DB: LedgerDatabase,
    O: Sync,
    H: IdempotentHandler<DB, O>,
{
    type Step = Self;

    async fn prepare(self) -> Result<Self, HandleError> {
        Ok(self)
    }
}

impl<DB, O, H> Step<DB, O> for Handle<'_, H>
where
    DB: LedgerDatabase,
    O: Sync,
    H: IdempotentHandler<DB, O>,
{
    async fn run(self, tx: &mut ScopedTransaction<DB>, outbox: &O) -> Result<(), HandleError> {
        match self.messages {
            [message] => self.handler.handle(message, tx, outbox).await,
            messages => self.handler.handle_all(messages, tx, outbox).await,
        }
    }
}

/// A message whose handler has something to do first.
pub(super) struct Prepare<'a, H> {
    pub(super) handler: &'a H,
    pub(super) message: &'a Message,
}

/// The same, with what came of that.
pub(super) struct Prepared<'a, H, P> {
    handler: &'a H,
    message: &'a Message,
    prepared: P,
}

impl<'a, DB, O, H> Preparation<DB, O> for Prepare<'a, H>
where
    DB: LedgerDatabase,
    O: Sync,
    H: PreparedHandler<DB, O>,
{
    type Step = Prepared<'a, H, H::Prepared>;

    async fn prepare(self) -> Result<Self::Step, HandleError> {
        Ok(Prepared {
            prepared: self.handler.prepare(self.message).await?,
            handler: self.handler,
            message: self.message,
        })
    }
}

impl<DB, O, H, P> Step<DB, O> for Prepared<'_, H, P>
where
    DB: LedgerDatabase,
    O: Sync,
    H: PreparedHandler<DB, O, Prepared = P>,
    P: Send,
{
    async fn run(self, tx: &mut ScopedTransaction<DB>, outbox: &O) -> Result<(), HandleError> {
        self.handler.handle(self.message, self.prepared, tx, outbox).await
    }
}
