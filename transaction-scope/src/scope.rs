use sqlx::{Pool, Transaction};

use crate::database::ScopeDatabase;
use crate::error::TransactionError;
use crate::open::OpenScope;
use crate::scoped::ScopedTransaction;

/// Begins a transaction. Safe to drop at any time, which sqlx 0.9.0's own `pool.begin()` is not: cancelled after its
/// second poll it leaves a connection of the pool inside a transaction, and later statements through the pool are lost.
///
/// SQLite: `BEGIN IMMEDIATE`, because a transaction that reads first and writes later is refused at once, whatever the
/// busy timeout, when somebody else wrote in between.
///
/// # Errors
/// The pool has no connection to give, or the database refused. SQLite: [`TransactionError::MemoryPool`].
pub async fn begin<DB: ScopeDatabase>(pool: &Pool<DB>) -> Result<Transaction<'static, DB>, TransactionError> {
    DB::begin(pool).await
}

/// Runs `body` inside a transaction, which is committed only when `body` returned Ok, no [`Attempt`](crate::Attempt) in
/// it failed or was cancelled, and no statement whose error was swallowed had made the database give it up.
///
/// Dropping the future rolls back; dropping it (or losing the connection) during the commit leaves the outcome unknown.
///
/// # Errors
/// What `body` returned; else [`TransactionError::Forbidden`] or [`TransactionError::Cancelled`] of an attempt inside;
/// else [`TransactionError::Aborted`]; all these were rolled back. [`TransactionError::CommitUnknown`] when COMMIT was
/// not answered.
pub async fn scope<DB, T, E, F>(pool: &Pool<DB>, body: F) -> Result<T, E>
where
    DB: ScopeDatabase,
    F: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
    E: From<TransactionError>,
{
    scope_with(DB::begin(pool), E::from, body).await
}

/// As [`scope`], in a transaction that is begun as the caller says, and with `map` in the place of `From`: for libraries
/// with errors of their own.
///
/// # Errors
/// As [`scope`].
pub async fn scope_with<DB, T, E, F>(
    begin: impl Future<Output = Result<Transaction<'static, DB>, TransactionError>>,
    map: impl Fn(TransactionError) -> E,
    body: F,
) -> Result<T, E>
where
    DB: ScopeDatabase,
    F: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
{
    let mut scope = OpenScope::new(begin.await.map_err(&map)?);
    let (tx, watch) = scope.split();
    match watch.over(body(tx)).await {
        Ok(value) => {
            scope.commit().await.map_err(&map)?;
            Ok(value)
        }
        Err(error) => {
            scope.roll_back().await;
            Err(error)
        }
    }
}
