use sqlx::{SqlSafeStr, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::open::check_pool;
use crate::begin::Begin;
use crate::database::{ScopeDatabase, sealed};
use crate::error::TransactionError;
use crate::sql;

/// Not a deferred BEGIN: one that has read and then wants to write is refused at once, whatever the busy
/// timeout, when somebody else wrote in between.
const BEGIN: &str = "BEGIN IMMEDIATE";

impl sealed::Sealed for Sqlite {}

impl ScopeDatabase for Sqlite {
    async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Self>, TransactionError> {
        Self::begin_with(pool, BEGIN).await
    }

    async fn begin_with(
        pool: &SqlitePool,
        statement: impl SqlSafeStr + Send + 'static,
    ) -> Result<Transaction<'static, Self>, TransactionError> {
        check_pool(pool)?;
        let pool = pool.clone();
        Begin::new(async move { pool.begin_with(statement).await }).await
    }

    async fn commit(mut tx: Transaction<'static, Self>) -> Result<(), TransactionError> {
        Self::check_open(&mut tx).await?;
        tx.commit().await.map_err(TransactionError::from_commit)
    }

    /// SQLite gives some transactions up by itself (<https://www.sqlite.org/lang_transaction.html>, "response to
    /// errors within a transaction"), and sqlx does not notice: what is written after that commits on its own.
    async fn check_open(connection: &mut SqliteConnection) -> Result<(), TransactionError> {
        /// A statement that can't be carried out, here: BEGIN inside of a transaction.
        const SQLITE_ERROR: &str = "1";
        match sqlx::query(sql!("sqlite/is_alive.sql")).execute(connection).await {
            Ok(_) => Err(TransactionError::Aborted),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(SQLITE_ERROR) => Ok(()),
            Err(error) => Err(TransactionError::database("asking for the transaction")(error)),
        }
    }
}
