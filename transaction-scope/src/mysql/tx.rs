use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, MySql, MySqlPool, Transaction};

use super::{ER_SP_DOES_NOT_EXIST, number};
use crate::begin::Begin;
use crate::database::{OutboxDatabase, sealed};
use crate::error::OutboxError;
use crate::sql::sql;

/// Begins a transaction of this library's own.
pub(crate) const BEGIN_OWN: &str = sql!("mysql/begin_own.sql");
const IS_OPEN: &str = sql!("mysql/is_open.sql");
const COMMIT: &str = sql!("mysql/commit.sql");

impl sealed::Sealed for MySql {}

impl OutboxDatabase for MySql {
    async fn begin(pool: &MySqlPool) -> Result<Transaction<'static, Self>, OutboxError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin().await })
            .await
            .map_err(OutboxError::database("beginning a transaction"))
    }

    async fn begin_own(pool: &MySqlPool) -> Result<Transaction<'static, Self>, OutboxError> {
        let pool = pool.clone();
        Begin::new(async move { pool.begin_with(BEGIN_OWN).await })
            .await
            .map_err(OutboxError::database("beginning a transaction"))
    }

    /// MySQL answers COMMIT with success also when a deadlock has rolled the transaction back before, and sqlx doesn't
    /// look. So the commit is a statement of ours that fails then.
    async fn commit(mut tx: Transaction<'static, Self>) -> Result<(), OutboxError> {
        match tx.execute(COMMIT).await {
            Ok(_) => Ok(()),
            Err(error) if number(&error) == Some(ER_SP_DOES_NOT_EXIST) => {
                Err(OutboxError::TransactionAborted)
            }
            Err(error) => Err(OutboxError::from_commit(error)),
        }
    }
}

/// After a deadlock the server has rolled the transaction back, and after DDL it has committed it. sqlx notices neither,
/// and what is written after that commits on its own.
pub(super) async fn check_open(connection: &mut MySqlConnection) -> Result<(), OutboxError> {
    match connection.execute(IS_OPEN).await {
        Ok(_) => Ok(()),
        Err(error) if number(&error) == Some(ER_SP_DOES_NOT_EXIST) => Err(OutboxError::TransactionAborted),
        Err(error) => Err(OutboxError::database("asking for the transaction")(error)),
    }
}
