use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::open::check_pool;
use crate::begin::Begin;
use crate::database::{OutboxDatabase, sealed};
use crate::error::OutboxError;
use crate::sql::sql;

/// Not a deferred BEGIN: one that has read and then wants to write is refused at once, whatever the busy
/// timeout, when somebody else wrote in between.
const BEGIN: &str = "BEGIN IMMEDIATE";

impl sealed::Sealed for Sqlite {}

impl OutboxDatabase for Sqlite {
    async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Self>, OutboxError> {
        check_pool(pool)?;
        let pool = pool.clone();
        Begin::new(async move { pool.begin_with(BEGIN).await })
            .await
            .map_err(OutboxError::database("beginning a transaction"))
    }

    async fn commit(mut tx: Transaction<'static, Self>) -> Result<(), OutboxError> {
        check_open(&mut tx).await?;
        tx.commit().await.map_err(OutboxError::from_commit)
    }
}

/// SQLite gives some transactions up by itself (<https://www.sqlite.org/lang_transaction.html>, "response to
/// errors within a transaction"), and sqlx does not notice: what is written after that commits on its own.
pub(super) async fn check_open(connection: &mut SqliteConnection) -> Result<(), OutboxError> {
    /// A statement that can't be carried out, here: BEGIN inside of a transaction.
    const SQLITE_ERROR: &str = "1";
    match sqlx::query(sql!("sqlite/is_alive.sql")).execute(connection).await {
        Ok(_) => Err(OutboxError::TransactionAborted),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(SQLITE_ERROR) => Ok(()),
        Err(error) => Err(OutboxError::database("asking for the transaction")(error)),
    }
}
