use sqlx::pool::PoolConnection;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};

use crate::error::OutboxError;
use crate::purge_database::{Purge, PurgeDatabase};
use transaction_scope::sql;
use transaction_scope::sqlite::check_pool;

impl PurgeDatabase for Sqlite {
    /// Always: one process uses the database, and two purges at once only take turns.
    async fn purge_alone(pool: &SqlitePool) -> Result<Option<PoolConnection<Self>>, OutboxError> {
        check_pool(pool)?;
        let connection = pool
            .acquire()
            .await
            .map_err(OutboxError::database("connecting"))?;
        Ok(Some(connection))
    }

    async fn purge_batch(
        connection: &mut SqliteConnection,
        table: Purge,
        keep: i64,
        limit: u32,
    ) -> Result<u64, OutboxError> {
        let statements: &[&'static str] = match table {
            Purge::Archive => &[sql!("sqlite/purge_archive.sql")],
            Purge::Dead => &[sql!("sqlite/purge_dead.sql"), sql!("sqlite/purged_dead.sql")],
            Purge::Discarded => &[sql!("sqlite/purge_discarded.sql")],
            Purge::Confirmations => &[sql!("sqlite/purge_confirmations.sql")],
        };
        purge(connection, statements, keep, limit)
            .await
            .map_err(OutboxError::database("purging finished messages"))
    }
}

/// Runs the statements in one transaction. (SQLite's worker rolls a cancelled BEGIN back by itself, so a
/// connection may begin here.)
async fn purge(
    connection: &mut SqliteConnection,
    statements: &[&'static str],
    keep: i64,
    limit: u32,
) -> sqlx::Result<u64> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut rows = 0;
    for sql in statements {
        let done = sqlx::query(*sql).bind(keep).bind(limit).execute(&mut *tx).await?;
        rows = done.rows_affected();
    }
    tx.commit().await?;
    Ok(rows)
}
