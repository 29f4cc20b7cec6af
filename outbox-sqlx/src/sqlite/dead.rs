use outbox_core::{MessageId, Shard};
use sqlx::{Sqlite, SqliteConnection};

use crate::dead_database::{DeadDatabase, dead_queries, unblock_query};
use crate::error::OutboxError;
use transaction_scope::sql;

// SQLite has no statement that deletes here and inserts there, so each move is two statements. Nobody comes
// between them: the transaction holds the write lock from its beginning.
impl DeadDatabase for Sqlite {
    dead_queries!("sqlite");
    unblock_query!("sqlite");

    async fn redrive_row(connection: &mut SqliteConnection, row: i64) -> Result<u64, OutboxError> {
        let mut count = 0;
        for sql in [sql!("sqlite/redrive.sql"), sql!("sqlite/redriven.sql")] {
            let done = sqlx::query(sql)
                .bind(row)
                .execute(&mut *connection)
                .await
                .map_err(OutboxError::database("redriving a message"))?;
            count = done.rows_affected();
        }
        Ok(count)
    }

    async fn redrive_rows(
        connection: &mut SqliteConnection,
        topic: &str,
        key: &str,
        _shard: Shard,
    ) -> Result<u64, OutboxError> {
        let mut count = 0;
        for sql in [
            sql!("sqlite/rewind_key.sql"),
            sql!("sqlite/redrive_key.sql"),
            sql!("sqlite/redriven_key.sql"),
        ] {
            let done = sqlx::query(sql)
                .bind(topic)
                .bind(key)
                .execute(&mut *connection)
                .await
                .map_err(OutboxError::database("redriving a key"))?;
            count = done.rows_affected();
        }
        Ok(count)
    }

    async fn discard_row(
        connection: &mut SqliteConnection,
        id: MessageId,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        for (note, remove) in [
            (sql!("sqlite/discard_dead.sql"), sql!("sqlite/discarded_dead.sql")),
            (
                sql!("sqlite/discard_blocked.sql"),
                sql!("sqlite/discarded_blocked.sql"),
            ),
        ] {
            sqlx::query(note)
                .bind(id.0)
                .bind(reason)
                .bind(by)
                .execute(&mut *connection)
                .await
                .map_err(OutboxError::database("discarding a message"))?;
            let done = sqlx::query(remove)
                .bind(id.0)
                .execute(&mut *connection)
                .await
                .map_err(OutboxError::database("discarding a message"))?;
            if done.rows_affected() > 0 {
                return Ok(done.rows_affected());
            }
        }
        Ok(0)
    }
}
