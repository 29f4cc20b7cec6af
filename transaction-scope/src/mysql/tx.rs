use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, MySql, MySqlPool, SqlSafeStr, Transaction};

use super::{BEGIN_OWN, ER_SP_DOES_NOT_EXIST, number};
use crate::begin::Begin;
use crate::database::{ScopeDatabase, sealed};
use crate::error::TransactionError;
use crate::sql;

const IS_OPEN: &str = sql!("mysql/is_open.sql");
const COMMIT: &str = sql!("mysql/commit.sql");

impl sealed::Sealed for MySql {}

impl ScopeDatabase for MySql {
    async fn begin(pool: &MySqlPool) -> Result<Transaction<'static, Self>, TransactionError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin().await }).await
    }

    async fn begin_with(
        pool: &MySqlPool,
        statement: impl SqlSafeStr + Send + 'static,
    ) -> Result<Transaction<'static, Self>, TransactionError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin_with(statement).await }).await
    }

    async fn begin_own(pool: &MySqlPool) -> Result<Transaction<'static, Self>, TransactionError> {
        Self::begin_with(pool, BEGIN_OWN).await
    }

    /// MySQL answers COMMIT with success also when a deadlock has rolled the transaction back before, and sqlx doesn't
    /// look. So the commit is a statement of ours that fails then.
    async fn commit(mut tx: Transaction<'static, Self>) -> Result<(), TransactionError> {
        match tx.execute(COMMIT).await {
            Ok(_) => Ok(()),
            Err(error) if number(&error) == Some(ER_SP_DOES_NOT_EXIST) => Err(TransactionError::Aborted),
            Err(error) => Err(TransactionError::from_commit(error)),
        }
    }

    /// After a deadlock the server has rolled the transaction back, and after DDL it has committed it. sqlx notices
    /// neither.
    async fn check_open(connection: &mut MySqlConnection) -> Result<(), TransactionError> {
        match connection.execute(IS_OPEN).await {
            Ok(_) => Ok(()),
            Err(error) if number(&error) == Some(ER_SP_DOES_NOT_EXIST) => Err(TransactionError::Aborted),
            Err(error) => Err(TransactionError::database("asking for the transaction")(error)),
        }
    }
}
