use outbox_core::{MessageId, Shard};
use sqlx::{PgConnection, Postgres};

use crate::dead_database::{DeadDatabase, dead_queries, unblock_query};
use crate::error::OutboxError;
use transaction_scope::sql;

impl DeadDatabase for Postgres {
    dead_queries!("postgres");
    unblock_query!("postgres");

    async fn redrive_row(connection: &mut PgConnection, row: i64) -> Result<u64, OutboxError> {
        let count: i64 = sqlx::query_scalar(sql!("postgres/redrive.sql"))
            .bind(row)
            .fetch_one(connection)
            .await
            .map_err(OutboxError::database("redriving a message"))?;
        Ok(count.unsigned_abs())
    }

    async fn redrive_rows(
        connection: &mut PgConnection,
        topic: &str,
        key: &str,
        shard: Shard,
    ) -> Result<u64, OutboxError> {
        let failed = || OutboxError::database("redriving a key");
        sqlx::query(sql!("postgres/lock_key_shards.sql"))
            .bind(topic)
            .bind(key)
            .bind(i16::from(shard.number()))
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
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

    async fn discard_row(
        connection: &mut PgConnection,
        id: MessageId,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        for sql in [
            sql!("postgres/discard_dead.sql"),
            sql!("postgres/discard_blocked.sql"),
        ] {
            let count: i64 = sqlx::query_scalar(sql)
                .bind(id.0)
                .bind(reason)
                .bind(by)
                .fetch_one(&mut *connection)
                .await
                .map_err(OutboxError::database("discarding a message"))?;
            if count > 0 {
                return Ok(count.unsigned_abs());
            }
        }
        Ok(0)
    }
}
