use outbox_core::{MessageId, Shard};
use sqlx::{PgConnection, Postgres};

use crate::dead_database::{DeadDatabase, dead_queries};
use crate::error::OutboxError;
use transaction_scope::sql;

impl DeadDatabase for Postgres {
    dead_queries!("postgres");

    async fn redrive_row(connection: &mut PgConnection, row: i64) -> Result<u64, OutboxError> {
        let count: i64 = sqlx::query_scalar(sql!("postgres/redrive.sql"))
            .bind(row)
            .fetch_one(connection)
            .await
            .map_err(OutboxError::database("redriving a message"))?;
        Ok(count.unsigned_abs())
    }

    async fn lock_key(
        connection: &mut PgConnection,
        topic: &str,
        key: &str,
        shard: Shard,
    ) -> Result<(), OutboxError> {
        sqlx::query(sql!("postgres/lock_key_shards.sql"))
            .bind(topic)
            .bind(key)
            .bind(i16::from(shard.number()))
            .execute(connection)
            .await
            .map(drop)
            .map_err(OutboxError::database("locking a key's shards"))
    }

    async fn redrive_rows(connection: &mut PgConnection, topic: &str, key: &str) -> Result<u64, OutboxError> {
        let failed = || OutboxError::database("redriving a key");
        sqlx::query(sql!("postgres/rewind_key.sql"))
            .bind(topic)
            .bind(key)
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        let count: i64 = sqlx::query_scalar(sql!("postgres/redrive_key.sql"))
            .bind(topic)
            .bind(key)
            .fetch_one(connection)
            .await
            .map_err(failed())?;
        Ok(count.unsigned_abs())
    }

    async fn discard_dead(
        connection: &mut PgConnection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        discard(connection, sql!("postgres/discard_dead.sql"), row, reason, by).await
    }

    async fn discard_blocked(
        connection: &mut PgConnection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        discard(connection, sql!("postgres/discard_blocked.sql"), row, reason, by).await
    }
}

async fn discard(
    connection: &mut PgConnection,
    sql: &'static str,
    row: i64,
    reason: &str,
    by: &str,
) -> Result<u64, OutboxError> {
    let count: i64 = sqlx::query_scalar(sql)
        .bind(row)
        .bind(reason)
        .bind(by)
        .fetch_one(connection)
        .await
        .map_err(OutboxError::database("discarding a message"))?;
    Ok(count.unsigned_abs())
}
