use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::Transaction;

use crate::database::ScopeDatabase;

/// The transaction inside of a [`scope`](crate::scope()).
///
/// Used like sqlx's own: run queries on `&mut **tx`. Code that wants sqlx's type gets it
/// from [`as_mut`](AsMut::as_mut). It can't be committed from inside; the scope does that. (It is a type
/// of its own because the compiler can't prove a future Send that holds a closure over a type with a
/// lifetime.)
pub struct ScopedTransaction<DB: ScopeDatabase> {
    pub(crate) inner: Transaction<'static, DB>,
}

impl<DB: ScopeDatabase> ScopedTransaction<DB> {
    /// Rolls back; what was lost on the way there is lost anyway.
    pub(crate) async fn roll_back(self) {
        if let Err(error) = self.inner.rollback().await {
            // The connection is gone, and the transaction with it; the cause is what the caller needs.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "rollback was not answered"
            );
        }
    }
}

impl<DB: ScopeDatabase> Deref for ScopedTransaction<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<DB: ScopeDatabase> DerefMut for ScopedTransaction<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<DB: ScopeDatabase> AsMut<Transaction<'static, DB>> for ScopedTransaction<DB> {
    fn as_mut(&mut self) -> &mut Transaction<'static, DB> {
        &mut self.inner
    }
}

impl<DB: ScopeDatabase> fmt::Debug for ScopedTransaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedTransaction").finish_non_exhaustive()
    }
}
