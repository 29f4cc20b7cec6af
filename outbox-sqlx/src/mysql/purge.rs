use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Executor as _, MySql, MySqlConnection, MySqlPool, Row as _};

use super::BEGIN_OWN;
use super::numbered::query;
use crate::error::OutboxError;
use crate::purge_database::{Purge, PurgeDatabase};
use transaction_scope::sql;

const SESSION: &str = sql!("mysql/purge_session.sql");

impl PurgeDatabase for MySql {
    async fn purge_alone(pool: &MySqlPool) -> Result<Option<PoolConnection<Self>>, OutboxError> {
        let mut connection = pool
            .acquire()
            .await
            .map_err(OutboxError::database("connecting"))?;
        // The lock belongs to the session. Closing it with the last use gives the lock back also when the
        // purge is dropped half-way; back in the pool it would be kept.
        connection.close_on_drop();
        let failed = || OutboxError::database("asking for the only purge");
        connection.execute(SESSION).await.map_err(failed())?;
        let alone: bool = sqlx::query_scalar(sql!("mysql/purge_lock.sql"))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed())?;
        Ok(alone.then_some(connection))
    }

    async fn purge_batch(
        connection: &mut MySqlConnection,
        table: Purge,
        keep: i64,
        limit: u32,
    ) -> Result<u64, OutboxError> {
        let statements: &[&'static str] = match table {
            Purge::Archive => &[sql!("mysql/purge_archive.sql")],
            Purge::Dead => &[sql!("mysql/purge_dead.sql"), sql!("mysql/purged_dead.sql")],
            Purge::Discarded => &[sql!("mysql/purge_discarded.sql")],
            Purge::Confirmations => {
                return purge_confirmations(connection, keep, limit)
                    .await
                    .map_err(OutboxError::database("purging confirmations"));
            }
        };
        purge(connection, statements, keep, limit)
            .await
            .map_err(OutboxError::database("purging finished messages"))
    }
}

/// Runs the statements in one transaction. (The connection is closed after its last use, so a BEGIN that is cancelled
/// leaves nothing behind.)
async fn purge(
    connection: &mut MySqlConnection,
    statements: &[&'static str],
    keep: i64,
    limit: u32,
) -> sqlx::Result<u64> {
    let mut tx = connection.begin_with(BEGIN_OWN).await?;
    let mut rows = 0;
    for sql in statements {
        let done = query!(sql, keep, limit).execute(&mut *tx).await?;
        rows = done.rows_affected();
    }
    tx.commit().await?;
    Ok(rows)
}

/// What is looked for is looked for first, because a DELETE locks all that its subqueries read.
async fn purge_confirmations(connection: &mut MySqlConnection, keep: i64, limit: u32) -> sqlx::Result<u64> {
    let mut tx = connection.begin_with(BEGIN_OWN).await?;
    let rows = query!(sql!("mysql/purge_confirmations.sql"), keep, limit)
        .fetch_all(&mut *tx)
        .await?;
    for row in &rows {
        let (message_id, group): (uuid::Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
        query!(sql!("mysql/purged_confirmation.sql"), message_id, &group)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}
