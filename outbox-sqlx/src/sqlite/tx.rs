use sqlx::{Sqlite, SqlitePool, Transaction};

use super::open::check_pool;
use crate::begin::Begin;
use crate::database::{OutboxDatabase, sealed};
use crate::error::OutboxError;

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

    async fn commit(tx: Transaction<'static, Self>) -> Result<(), OutboxError> {
        tx.commit().await.map_err(OutboxError::from_commit)
    }
}
