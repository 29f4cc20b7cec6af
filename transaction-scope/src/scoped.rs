use std::fmt;
use std::ops::{Deref, DerefMut};

use outbox_core::{Enqueue, Message, Order};
use sqlx::Transaction;

use crate::database::OutboxDatabase;
use crate::error::OutboxError;
use crate::sql_store::SqlStore;

/// The transaction inside of [`Outbox::transaction`](crate::Outbox::transaction).
///
/// Used like sqlx's own: publish to it, and run queries on `&mut **tx`. Code that wants sqlx's type gets it
/// from [`as_mut`](AsMut::as_mut). It can't be committed from inside; the scope does that. (It is a type
/// of its own because the compiler can't prove a future Send that holds a closure over a type with a
/// lifetime.)
pub struct OutboxTransaction<DB: OutboxDatabase> {
    pub(crate) inner: Transaction<'static, DB>,
}

impl<DB: OutboxDatabase> Deref for OutboxTransaction<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<DB: OutboxDatabase> DerefMut for OutboxTransaction<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<DB: OutboxDatabase> AsMut<Transaction<'static, DB>> for OutboxTransaction<DB> {
    fn as_mut(&mut self) -> &mut Transaction<'static, DB> {
        &mut self.inner
    }
}

impl<DB: OutboxDatabase> Enqueue<OutboxTransaction<DB>> for SqlStore
where
    SqlStore: Enqueue<Transaction<'static, DB>, Error = OutboxError>,
{
    type Error = OutboxError;

    fn enqueue(
        &self,
        tx: &mut OutboxTransaction<DB>,
        messages: &[Message],
        order: Order,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send {
        Enqueue::enqueue(self, &mut tx.inner, messages, order)
    }
}

impl<DB: OutboxDatabase> fmt::Debug for OutboxTransaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxTransaction").finish_non_exhaustive()
    }
}
