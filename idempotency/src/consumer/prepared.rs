use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use outbox_core::consumer::{HandleError, Handler};
use outbox_core::{Delivery, Enqueue, Message};
use transaction_scope::ScopedTransaction;

use super::IdempotentConsumer;
use super::step::Prepare;
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::guard::Idempotency;
use crate::ledger::name::check_scope;

/// A handler with a step before its transaction: for what has to be done in another system, such as a payment provider. In
/// the transaction such a call would keep locks, and on SQLite everybody who writes, waiting for somebody else's network.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use async_trait::async_trait;
/// use idempotency::consumer::PreparedHandler;
/// use outbox_core::Message;
/// use outbox_core::consumer::HandleError;
/// use outbox_sqlx::Outbox;
/// use sqlx::Sqlite;
/// use transaction_scope::ScopedTransaction;
///
/// # struct Provider;
/// # impl Provider { async fn charge(&self, _key: String, _cents: i64) -> Result<bool, std::io::Error> { Ok(true) } }
/// struct Charge { provider: Provider }
///
/// #[async_trait]
/// impl PreparedHandler<Sqlite, Outbox> for Charge {
///     type Prepared = bool;
///
///     async fn prepare(&self, message: &Message) -> Result<bool, HandleError> {
///         // Asked again with the same key, the provider answers as it did, and moves no more money.
///         Ok(self.provider.charge(message.id().to_string(), message.decode_json()?).await?)
///     }
///
///     async fn handle(
///         &self,
///         message: &Message,
///         captured: bool,
///         tx: &mut ScopedTransaction<Sqlite>,
///         outbox: &Outbox,
///     ) -> Result<(), HandleError> {
///         sqlx::query("INSERT INTO payment VALUES (?1, ?2)")
///             .bind(message.id().0)
///             .bind(captured)
///             .execute(&mut **tx)
///             .await?;
///         outbox.publish(tx, Message::builder("payments.answered").json(&captured)?).await?;
///         Ok(())
///     }
/// }
/// # }
/// ```
#[async_trait]
pub trait PreparedHandler<DB: LedgerDatabase, O>: Send + Sync + 'static {
    /// What the first step hands to the second.
    type Prepared: Send;

    /// The step before, while no transaction is open. It runs again whenever the message comes again and no mark in the
    /// lock says that it is done: after a crash or a failure of any step behind it, and for duplicates too. So it has to be
    /// harmless when repeated: the other system is given the message's id, or one in it, as its idempotency key.
    ///
    /// # Errors
    /// As of [`handle`](Self::handle); nothing was written.
    async fn prepare(&self, message: &Message) -> Result<Self::Prepared, HandleError>;

    /// The step in the transaction, as [`IdempotentHandler::handle`](super::IdempotentHandler::handle).
    ///
    /// # Errors
    /// The message was not handled, and the transaction is rolled back; [`HandleError`] says whether trying again may
    /// help.
    async fn handle(
        &self,
        message: &Message,
        prepared: Self::Prepared,
        tx: &mut ScopedTransaction<DB>,
        outbox: &O,
    ) -> Result<(), HandleError>;
}

/// As [`IdempotentConsumer`], for handlers with a step before their transaction; made by
/// [`Idempotency::prepared_consumer`]. The lock is held, and its lease extended, over both steps.
pub struct PreparedConsumer<DB: LedgerDatabase, O, H> {
    consumer: IdempotentConsumer<DB, O, H>,
}

impl<DB: LedgerDatabase> Idempotency<DB> {
    /// As [`Idempotency::consumer`], for a handler with a step before its transaction.
    ///
    /// # Errors
    /// [`IdempotencyError::Name`]: the group's name can't be a scope.
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
        let group = group.into();
        check_scope(&group)?;
        Ok(PreparedConsumer {
            consumer: IdempotentConsumer {
                guard: self.clone(),
                group,
                outbox,
                handler,
            },
        })
    }
}

#[async_trait]
impl<DB, O, H> Handler for PreparedConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
    H: PreparedHandler<DB, O>,
{
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let message = delivery.message();
        let handler = &self.consumer.handler;
        self.consumer.once(message, Prepare { handler, message }).await
    }
}

impl<DB: LedgerDatabase, O, H> fmt::Debug for PreparedConsumer<DB, O, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedConsumer")
            .field("consumer", &self.consumer)
            .finish()
    }
}
