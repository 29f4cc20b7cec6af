use std::future::Future;

use sqlx::{Database, Pool, SqlSafeStr, Transaction};

use crate::error::TransactionError;

/// A database whose transactions are begun and committed safely here: `sqlx::Postgres`, `sqlx::MySql` (MariaDB too) or
/// `sqlx::Sqlite`, with the feature of that name. Sealed.
pub trait ScopeDatabase: Database + sealed::Sealed {
    /// Begins a transaction such that dropping this future leaves no connection of the pool inside one.
    fn begin(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Transaction<'static, Self>, TransactionError>> + Send;

    /// As [`ScopeDatabase::begin`], by a statement of the caller's, such as `BEGIN READ ONLY`; it has to begin a
    /// transaction.
    fn begin_with(
        pool: &Pool<Self>,
        statement: impl SqlSafeStr + Send + 'static,
    ) -> impl Future<Output = Result<Transaction<'static, Self>, TransactionError>> + Send;

    /// Begins a transaction of a library's own: one that sees what was committed when each of its statements
    /// begins, and locks no gaps between rows, whatever the pool's sessions are set to.
    fn begin_own(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Transaction<'static, Self>, TransactionError>> + Send {
        Self::begin(pool)
    }

    /// Commits and says the truth about it: Ok only when it was committed.
    fn commit(tx: Transaction<'static, Self>) -> impl Future<Output = Result<(), TransactionError>> + Send;

    /// Whether the connection is still inside of its transaction. Some databases give one up by themselves and the
    /// driver does not notice; what is written after that commits on its own. Where a statement then fails by itself
    /// (Postgres), nothing is asked.
    ///
    /// # Errors
    /// [`TransactionError::Aborted`], or the database can't be reached.
    fn check_open(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), TransactionError>> + Send {
        std::future::ready(Ok(()))
    }
}

pub(crate) mod sealed {
    /// Keeps `ScopeDatabase` for this crate to implement.
    pub trait Sealed {}
}
