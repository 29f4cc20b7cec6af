//! TEMPORARY stub.
use super::IdempotentHandler;
use crate::database::LedgerDatabase;
use crate::{Idempotency, IdempotencyError};
use async_trait::async_trait;
use outbox_core::consumer::{HandleError, Handler};
use outbox_core::{Delivery, Enqueue, Message};
use std::sync::Arc;
use transaction_scope::ScopedTransaction;
#[allow(missing_docs)]
#[async_trait]
pub trait PreparedHandler<DB: LedgerDatabase, O>: Send + Sync + 'static {
    type Prepared: Send;
    async fn prepare(&self, message: &Message) -> Result<Self::Prepared, HandleError>;
    async fn handle(
        &self,
        message: &Message,
        prepared: Self::Prepared,
        tx: &mut ScopedTransaction<DB>,
        outbox: &O,
    ) -> Result<(), HandleError>;
}
struct One<H, P>(Arc<H>, tokio::sync::Mutex<Option<P>>);
#[async_trait]
impl<DB: LedgerDatabase, O: Send + Sync + 'static, H: PreparedHandler<DB, O, Prepared = P>, P: Send + 'static>
    IdempotentHandler<DB, O> for One<H, P>
{
    async fn handle(
        &self,
        message: &Message,
        tx: &mut ScopedTransaction<DB>,
        outbox: &O,
    ) -> Result<(), HandleError> {
        let p = self.1.lock().await.take().unwrap();
        self.0.handle(message, p, tx, outbox).await
    }
}
#[allow(missing_docs)]
pub struct PreparedConsumer<DB: LedgerDatabase, O, H>(Idempotency<DB>, Arc<str>, O, Arc<H>);
#[async_trait]
impl<
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Clone + Send + Sync + 'static,
    H: PreparedHandler<DB, O>,
> Handler for PreparedConsumer<DB, O, H>
where
    H::Prepared: 'static,
{
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let p = self.3.prepare(delivery.message()).await?;
        let c = self
            .0
            .consumer(
                Arc::clone(&self.1),
                self.2.clone(),
                One(Arc::clone(&self.3), tokio::sync::Mutex::new(Some(p))),
            )
            .unwrap();
        c.handle(delivery).await
    }
}
impl<DB: LedgerDatabase> Idempotency<DB> {
    #[allow(missing_docs)]
    pub fn prepared_consumer<O, H>(
        &self,
        group: impl Into<Arc<str>>,
        outbox: O,
        handler: H,
    ) -> Result<PreparedConsumer<DB, O, H>, IdempotencyError>
    where
        O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
        H: PreparedHandler<DB, O>,
    {
        Ok(PreparedConsumer(
            self.clone(),
            group.into(),
            outbox,
            Arc::new(handler),
        ))
    }
}
