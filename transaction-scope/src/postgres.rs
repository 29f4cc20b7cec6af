use sqlx::{PgPool, Postgres, SqlSafeStr, Transaction};

use crate::begin::Begin;
use crate::database::{ScopeDatabase, sealed};
use crate::error::TransactionError;
use crate::sql;

const COMMIT: &str = sql!("postgres/commit.sql");

/// `in_failed_sql_transaction`: a statement after one that failed.
const IN_FAILED_TRANSACTION: &str = "25P02";

impl sealed::Sealed for Postgres {}

impl ScopeDatabase for Postgres {
    async fn begin(pool: &PgPool) -> Result<Transaction<'static, Self>, TransactionError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin().await }).await
    }

    async fn begin_with(
        pool: &PgPool,
        statement: impl SqlSafeStr + Send + 'static,
    ) -> Result<Transaction<'static, Self>, TransactionError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin_with(statement).await }).await
    }

    /// Postgres answers COMMIT with success also when a failed statement made it roll back, and sqlx hides the
    /// difference. So the commit is a statement of ours that fails then.
    async fn commit(mut tx: Transaction<'static, Self>) -> Result<(), TransactionError> {
        match sqlx::raw_sql(COMMIT).execute(&mut *tx).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(IN_FAILED_TRANSACTION) => {
                Err(TransactionError::Aborted)
            }
            Err(error) => Err(TransactionError::from_commit(error)),
        }
    }
}
