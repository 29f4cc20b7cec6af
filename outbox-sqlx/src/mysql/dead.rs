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

    async fn lock_key(
        connection: &mut MySqlConnection,
        topic: &str,
        key: &str,
        shard: Shard,
    ) -> Result<(), OutboxError> {
        query!(
            sql!("mysql/lock_key_shards.sql"),
            topic,
            key,
            i16::from(shard.number())
        )
        .execute(connection)
        .await
        .map(drop)
        .map_err(OutboxError::database("locking a key's shards"))
    }

    async fn redrive_rows(
        connection: &mut MySqlConnection,
        topic: &str,
        key: &str,
    ) -> Result<u64, OutboxError> {
        let mut count = 0;
        for sql in [
            sql!("mysql/rewind_key.sql"),
            sql!("mysql/redrive_key.sql"),
            sql!("mysql/redriven_key.sql"),
        ] {
            let done = query!(sql, topic, key)
                .execute(&mut *connection)
                .await
                .map_err(OutboxError::database("redriving a key"))?;
            count = done.rows_affected();
        }
        Ok(count)
    }

    async fn discard_dead(
        connection: &mut MySqlConnection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        let note = sql!("mysql/discard_dead.sql");
        discard(
            connection,
            note,
            sql!("mysql/discarded_dead.sql"),
            row,
            reason,
            by,
        )
        .await
    }

    async fn discard_blocked(
        connection: &mut MySqlConnection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        let note = sql!("mysql/discard_blocked.sql");
        discard(
            connection,
            note,
            sql!("mysql/discarded_blocked.sql"),
            row,
            reason,
            by,
        )
        .await
    }
}

async fn discard(
    connection: &mut MySqlConnection,
    note: &'static str,
    remove: &'static str,
    row: i64,
    reason: &str,
    by: &str,
) -> Result<u64, OutboxError> {
    let failed = || OutboxError::database("discarding a message");
    query!(note, row, reason, by)
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let done = query!(remove, row).execute(connection).await.map_err(failed())?;
    Ok(done.rows_affected())
}
