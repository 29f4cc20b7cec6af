use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Row as _, Sqlite, SqliteConnection, SqlitePool};

use crate::error::OutboxError;
use crate::operator::{DISCARDED, NOBODY_DECIDED};
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
            Purge::Dead => &[
                sql!("sqlite/purge_dead.sql"),
                sql!("sqlite/purge_dead_audit.sql"),
                sql!("sqlite/purged_dead.sql"),
            ],
            Purge::Discarded => &[sql!("sqlite/purge_discarded.sql")],
            Purge::Confirmations => &[sql!("sqlite/purge_confirmations.sql")],
            Purge::Audit => &[sql!("sqlite/purge_audit.sql")],
            Purge::GroupDead => {
                return purge_group_dead(connection, keep, limit)
                    .await
                    .map_err(OutboxError::database("purging dead letters of groups"));
            }
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

/// Gives up dead letters of groups one by one, in one transaction: each is noted in the audit, which also locks it, and then
/// removed. No statement here could do both, and two that look for the same rows may find different ones.
async fn purge_group_dead(connection: &mut SqliteConnection, keep: i64, limit: u32) -> sqlx::Result<u64> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let now: i64 = sqlx::query_scalar(sql!("sqlite/letters_now.sql"))
        .fetch_one(&mut *tx)
        .await?;
    let letters = sqlx::query(sql!("sqlite/purge_group_dead.sql"))
        .bind(now - keep)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await?;
    let mut purged = 0;
    for letter in &letters {
        let (group, queue, offset): (i64, i64, i64) =
            (letter.try_get(0)?, letter.try_get(1)?, letter.try_get(2)?);
        let (source, topic): (String, String) = (letter.try_get(3)?, letter.try_get(4)?);
        let noted = sqlx::query(sql!("sqlite/audit_group_dead.sql"))
            .bind(group)
            .bind(queue)
            .bind(offset)
            .bind(source)
            .bind(topic)
            .bind(DISCARDED)
            .bind("retention")
            .bind(NOBODY_DECIDED)
            .bind(now - keep)
            .execute(&mut *tx)
            .await?;
        if noted.rows_affected() > 0 {
            let removed = sqlx::query(sql!("sqlite/queue_dead_remove.sql"))
                .bind(group)
                .bind(queue)
                .bind(offset)
                .execute(&mut *tx)
                .await?;
            purged += removed.rows_affected();
        }
    }
    tx.commit().await?;
    Ok(purged)
}
