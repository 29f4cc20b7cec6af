//! Handlers of a queue's messages, each of which takes effect once.
//!
//! A message that is delivered again (because the ack was lost, a process died, a sender sent again, or an operator put a
//! dead letter back) finds its row in the ledger, under the group and its id, and its handler does not run. The row is
//! written by the handler's own transaction, and so is what the handler publishes.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # mod example {
//! use async_trait::async_trait;
//! use idempotency::Idempotency;
//! use idempotency::consumer::IdempotentHandler;
//! use outbox_core::consumer::{Consumer, HandleError};
//! use outbox_core::memory::MemoryQueue;
//! use outbox_core::{Message, Publisher};
//! use outbox_sqlx::Outbox;
//! use sqlx::Sqlite;
//! use transaction_scope::ScopedTransaction;
//!
//! struct Reserve;
//!
//! #[async_trait]
//! impl IdempotentHandler<Sqlite, Outbox> for Reserve {
//!     async fn handle(
//!         &self,
//!         message: &Message,
//!         tx: &mut ScopedTransaction<Sqlite>,
//!         outbox: &Outbox,
//!     ) -> Result<(), HandleError> {
//!         let order: i64 = message.decode_json()?;
//!         sqlx::query("INSERT INTO reservation VALUES (?1)").bind(order).execute(&mut **tx).await?;
//!         outbox.publish(tx, Message::builder("stock.reserved").json(&order)?).await?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = transaction_scope::sqlite::open("sqlite::memory:").await?;
//! # outbox_sqlx::migrate(&pool).await?;
//! # idempotency::migrate(&pool).await?;
//! # sqlx::query("CREATE TABLE reservation (order_id INTEGER NOT NULL)").execute(&pool).await?;
//! let queue = MemoryQueue::new();
//! let subscriber = queue.subscribe("inventory", ["orders.placed"])?;
//! let idempotency = Idempotency::builder(pool.clone()).build().await?;
//! let handler = idempotency.consumer("inventory", Outbox::new(), Reserve)?;
//! let consumer = Consumer::builder(subscriber, handler).build()?;
//! # let stop = tokio_util::sync::CancellationToken::new();
//! # let running = tokio::spawn(consumer.run(stop.clone()));
//! # let message = Message::builder("orders.placed").json(&7)?.build()?;
//! # queue.publisher().publish(&[message.clone(), message]).await;
//! # queue.wait_idle("inventory").await;
//! # stop.cancel();
//! # running.await?;
//! # let reserved: i64 = sqlx::query_scalar("SELECT count(*) FROM reservation").fetch_one(&pool).await?;
//! # assert_eq!(reserved, 1);
//! # Ok(())
//! # }
//! # }
//! # fn main() {
//! # #[cfg(feature = "sqlite")]
//! # example::main().unwrap();
//! # }
//! ```
//!
//! A message that asks for a confirmation ([`outbox_core::Confirm`]) gets one from its first handling, as an outbox row of the
//! handler's transaction, and again from every duplicate, before its ack. It needs an outbox for that.
//!
//! A handler that has to call another system does so before its transaction, and not in it: [`PreparedHandler`].
//!
//! [`IdempotentConsumer`] is a [`BatchHandler`](outbox_core::consumer::BatchHandler) too: many messages, claimed by one
//! statement and handled in one transaction. A batch that fails is handled message by message.

mod batch;
mod confirm;
mod failure;
mod handler;
mod no_outbox;
mod one;
mod prepared;
mod step;

#[cfg(all(test, feature = "sqlite"))]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use outbox_core::consumer::HandleError;
use outbox_core::{Enqueue, Message};
use transaction_scope::ScopedTransaction;

use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::guard::Idempotency;
use crate::ledger::name::check_scope;
pub use handler::IdempotentHandler;
pub use no_outbox::{NoOutbox, NoOutboxError};
pub use prepared::{PreparedConsumer, PreparedHandler};

/// A handler of a consumer group, whose messages each take effect once; made by [`Idempotency::consumer`].
///
/// * A message that another is handling, one whose transaction the database undid because of others (a deadlock, a
///   serialization failure), one that comes while the database is away, and one whose commit was not answered, did not
///   fail: they are given back ([`HandleError::not_now`]) and cost no attempt. In the last case the message that comes
///   again finds the ledger's row, or does not.
/// * A message older than the ledger [remembers](crate::Retention) goes to the dead letters
///   ([`IdempotencyError::TooOld`]): whether it took effect can't be known any more.
pub struct IdempotentConsumer<DB: LedgerDatabase, O, H> {
    guard: Idempotency<DB>,
    group: Arc<str>,
    outbox: O,
    handler: H,
}

impl<DB: LedgerDatabase> Idempotency<DB> {
    /// A handler for this group's messages; the group is the ledger's scope. What `handler` publishes goes through
    /// `outbox`, in the handler's transaction; [`NoOutbox`] for those that publish nothing.
    ///
    /// # Errors
    /// [`IdempotencyError::Name`]: the group's name can't be a scope.
    pub fn consumer<O, H>(
        &self,
        group: impl Into<Arc<str>>,
        outbox: O,
        handler: H,
    ) -> Result<IdempotentConsumer<DB, O, H>, IdempotencyError>
    where
        O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
        H: IdempotentHandler<DB, O>,
    {
        let group = group.into();
        check_scope(&group)?;
        Ok(IdempotentConsumer {
            guard: self.clone(),
            group,
            outbox,
            handler,
        })
    }
}

impl<DB, O, H> IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
{
    /// Refuses a message whose row may have expired.
    fn remembers(&self, message: &Message) -> Result<(), HandleError> {
        let keeps = self.guard.retention().keeps();
        // One from the future is not old.
        let age = SystemTime::now()
            .duration_since(message.created_at())
            .unwrap_or_default();
        if age > keeps {
            return Err(HandleError::permanent(IdempotencyError::TooOld { age, keeps }));
        }
        Ok(())
    }
}

impl<DB: LedgerDatabase, O, H> fmt::Debug for IdempotentConsumer<DB, O, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotentConsumer")
            .field("group", &self.group)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
