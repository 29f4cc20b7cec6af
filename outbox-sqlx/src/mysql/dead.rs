use outbox_core::{MessageId, Shard};
use sqlx::{MySql, MySqlConnection};

use super::numbered::query;
use crate::dead_database::{DeadDatabase, dead_queries};
use crate::error::OutboxError;
use transaction_scope::sql;

// No statement deletes here and inserts there, so each move is two statements. Nobody comes between them: rows are
// locked first, or the shard is, against the relay's burying and parking.
impl DeadDatabase for MySql {
    dead_queries!("mysql");

    async fn redrive_row(connection: &mut MySqlConnection, row: i64) -> Result<u64, OutboxError> {
        let mut count = 0;
        for sql in [sql!("mysql/redrive.sql"), sql!("mysql/redriven.sql")] {
            let done = query!(sql, row)
                .execute(&mut *connection)
                .await
                .map_err(OutboxError::database("redriving a message"))?;
            count = done.rows_affected();
        }
        Ok(count)
    }

    async fn redrive_rows(
        connection: &mut MySqlConnection,
        topic: &str,
        key: &str,
        shard: Shard,
    ) -> Result<u64, OutboxError> {
        let failed = || OutboxError::database("redriving a key");
        query!(
            sql!("mysql/lock_key_shards.sql"),
            topic,
            key,
            i16::from(shard.number())
        )
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
        let mut count = 0;
        for sql in [
            sql!("mysql/rewind_key.sql"),
            sql!("mysql/redrive_key.sql"),
            sql!("mysql/redriven_key.sql"),
        ] {
            let done = query!(sql, topic, key)
                .execute(&mut *connection)
                .await
                .map_err(failed())?;
            count = done.rows_affected();
        }
        Ok(count)
    }

    async fn discard_row(
        connection: &mut MySqlConnection,
        id: MessageId,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        let failed = || OutboxError::database("discarding a message");
        for (find, note, remove) in [
            (
                sql!("mysql/dead_find_row.sql"),
                sql!("mysql/discard_dead.sql"),
                sql!("mysql/discarded_dead.sql"),
            ),
            (
                sql!("mysql/blocked_find_row.sql"),
                sql!("mysql/discard_blocked.sql"),
                sql!("mysql/discarded_blocked.sql"),
            ),
        ] {
            let found: Option<i64> = sqlx::query_scalar(find)
                .bind(id.0)
                .fetch_optional(&mut *connection)
                .await
                .map_err(failed())?;
            let Some(row) = found else { continue };
            query!(note, row, reason, by)
                .execute(&mut *connection)
                .await
                .map_err(failed())?;
            let done = query!(remove, row)
                .execute(&mut *connection)
                .await
                .map_err(failed())?;
            if done.rows_affected() > 0 {
                return Ok(done.rows_affected());
            }
        }
        Ok(0)
    }

    async fn unblock_row(connection: &mut MySqlConnection, id: MessageId) -> Result<u64, OutboxError> {
        let failed = || OutboxError::database("unblocking a message");
        // Apart, because a subquery of an UPDATE locks what it looks at.
        let found: Option<i64> = sqlx::query_scalar(sql!("mysql/blocked_find_row.sql"))
            .bind(id.0)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed())?;
        let Some(row) = found else { return Ok(0) };
        let done = query!(sql!("mysql/unblock.sql"), row)
            .execute(connection)
            .await
            .map_err(failed())?;
        Ok(done.rows_affected())
    }
}
