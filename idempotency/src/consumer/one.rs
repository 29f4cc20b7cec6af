use async_trait::async_trait;
use outbox_core::consumer::{HandleError, Handler};
use outbox_core::{Delivery, Enqueue, Message};
use transaction_scope::ScopedTransaction;

use super::failure::{Failure, handle_error};
use super::step::{Handle, Preparation, Step};
use super::{IdempotentConsumer, IdempotentHandler};
use crate::database::LedgerDatabase;
use crate::guard::{Begun, Decision, First, Locked, RunError};
use crate::ledger::name::Name;

#[async_trait]
impl<DB, O, H> Handler for IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
    H: IdempotentHandler<DB, O>,
{
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.handle_one(delivery.message()).await
    }
}

impl<DB, O, H> IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
    H: IdempotentHandler<DB, O>,
{
    pub(super) async fn handle_one(&self, message: &Message) -> Result<(), HandleError> {
        let (handler, messages) = (&self.handler, &[message]);
        self.once(message, Handle { handler, messages }).await
    }
}

impl<DB, O, H> IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
    H: Send + Sync + 'static,
{
    /// One message, whatever is to be done with it.
    pub(super) async fn once(
        &self,
        message: &Message,
        preparation: impl Preparation<DB, O>,
    ) -> Result<(), HandleError> {
        self.remembers(message)?;
        let key = message.id().to_string();
        let name = Name {
            scope: &self.group,
            key: &key,
        };
        let locked = self.guard.lock(name).await;
        if let Locked::Done = locked {
            self.guard.count(Decision::DuplicateMark);
            return self.confirm_again(&[message]).await.map_err(handle_error);
        }
        let handled = locked.during(self.in_database(name, message, preparation)).await;
        match &handled {
            Ok(decision) => self.guard.count(*decision),
            Err(failure) => self.count_failure(failure),
        }
        match handled {
            Ok(_) => {
                self.guard.done(locked).await;
                Ok(())
            }
            Err(failure) => {
                self.guard.not_done(locked).await;
                Err(handle_error(failure))
            }
        }
    }

    async fn in_database(
        &self,
        name: Name<'_>,
        message: &Message,
        preparation: impl Preparation<DB, O>,
    ) -> Result<Decision, Failure> {
        let step = preparation.prepare().await.map_err(RunError::Work)?;
        match self.guard.begin(name, None).await? {
            Begun::First(first) => {
                self.work(first, step, &[message], &[]).await?;
                Ok(Decision::First)
            }
            Begun::Duplicate(_) => {
                self.confirm_again(&[message]).await?;
                Ok(Decision::DuplicateLedger)
            }
        }
    }

    /// The handler's step and the confirmations, in the transaction that claimed the messages.
    pub(super) async fn work(
        &self,
        mut first: First<DB>,
        step: impl Step<DB, O>,
        messages: &[&Message],
        duplicates: &[&Message],
    ) -> Result<(), Failure> {
        let (tx, watch) = first.split();
        let work = async {
            step.run(tx, &self.outbox).await.map_err(RunError::Work)?;
            self.confirm_in(tx, messages).await?;
            self.confirm_in(tx, duplicates).await
        };
        let worked = watch.over(work).await;
        first.end(worked).await?;
        self.outbox.committed();
        Ok(())
    }

    pub(super) fn count_failure(&self, failure: &Failure) {
        match failure {
            RunError::Busy => self.guard.count(Decision::Busy),
            RunError::Conflict => self.guard.count(Decision::Conflict),
            _ => {}
        }
    }
}
