use sqlx::{Executor, PgPool, Postgres, Transaction};

use crate::begin::Begin;
use crate::database::{OutboxDatabase, sealed};
use crate::error::OutboxError;
use crate::sql::sql;

const IS_ALIVE: &str = sql!("postgres/is_alive.sql");

/// `in_failed_sql_transaction`: a statement after one that failed.
const IN_FAILED_TRANSACTION: &str = "25P02";

impl sealed::Sealed for Postgres {}

impl OutboxDatabase for Postgres {
    async fn begin(pool: &PgPool) -> Result<Transaction<'static, Self>, OutboxError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin().await })
            .await
            .map_err(OutboxError::database("beginning a transaction"))
    }

    /// Postgres answers COMMIT with success also when a failed statement made it roll back, and sqlx hides
    /// the difference. So it is asked first; nothing comes between the question and the COMMIT.
    async fn commit(mut tx: Transaction<'static, Self>) -> Result<(), OutboxError> {
        match (&mut *tx).execute(IS_ALIVE).await {
            Ok(_) => tx.commit().await.map_err(OutboxError::from_commit),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(IN_FAILED_TRANSACTION) => {
                Err(OutboxError::TransactionAborted)
            }
            Err(error) => Err(OutboxError::database(
                "asking for the transaction before its commit",
            )(error)),
        }
    }
}
