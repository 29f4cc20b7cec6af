use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

use crate::error::OutboxError;
use crate::purge_database::{Purge, PurgeDatabase};
use transaction_scope::sql;

impl PurgeDatabase for Postgres {
    async fn purge_alone(pool: &PgPool) -> Result<Option<PoolConnection<Self>>, OutboxError> {
        let mut connection = pool
            .acquire()
            .await
            .map_err(OutboxError::database("connecting"))?;
        // The lock belongs to the session. Closing it with the last use gives the lock back also when the
        // purge is dropped half-way; back in the pool it would be kept.
        connection.close_on_drop();
        let alone: bool = sqlx::query_scalar(sql!("postgres/purge_lock.sql"))
            .fetch_one(&mut *connection)
            .await
            .map_err(OutboxError::database("asking for the only purge"))?;
        Ok(alone.then_some(connection))
    }

    async fn purge_batch(
        connection: &mut PgConnection,
        table: Purge,
        keep: i64,
        limit: u32,
    ) -> Result<u64, OutboxError> {
        let limit = i64::from(limit);
        let sql = match table {
            Purge::Archive => sql!("postgres/purge_archive.sql"),
            Purge::Discarded => sql!("postgres/purge_discarded.sql"),
            Purge::Confirmations => sql!("postgres/purge_confirmations.sql"),
            Purge::Dead => {
                let count: i64 = sqlx::query_scalar(sql!("postgres/purge_dead.sql"))
                    .bind(keep)
                    .bind(limit)
                    .fetch_one(connection)
                    .await
                    .map_err(OutboxError::database("purging dead letters"))?;
                return Ok(count.unsigned_abs());
            }
        };
        let done = sqlx::query(sql)
            .bind(keep)
            .bind(limit)
            .execute(connection)
            .await
            .map_err(OutboxError::database("purging finished messages"))?;
        Ok(done.rows_affected())
    }
}
