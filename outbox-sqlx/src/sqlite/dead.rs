use outbox_core::{MessageId, Shard};
use sqlx::{Sqlite, SqliteConnection};

use crate::dead_database::{DeadDatabase, dead_queries};
use crate::error::OutboxError;
use transaction_scope::sql;

// SQLite has no statement that deletes here and inserts there, so each move is two statements. Nobody comes
// between them: the transaction holds the write lock from its beginning.
impl DeadDatabase for Sqlite {
    dead_queries!("sqlite");

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

    /// The transaction holds the write lock.
    async fn lock_key(_: &mut SqliteConnection, _: &str, _: &str, _: Shard) -> Result<(), OutboxError> {
        Ok(())
    }

    async fn redrive_rows(
        connection: &mut SqliteConnection,
        topic: &str,
        key: &str,
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

    async fn discard_dead(
        connection: &mut SqliteConnection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        let note = sql!("sqlite/discard_dead.sql");
        discard(
            connection,
            note,
            sql!("sqlite/discarded_dead.sql"),
            row,
            reason,
            by,
        )
        .await
    }

    async fn discard_blocked(
        connection: &mut SqliteConnection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> Result<u64, OutboxError> {
        let note = sql!("sqlite/discard_blocked.sql");
        discard(
            connection,
            note,
            sql!("sqlite/discarded_blocked.sql"),
            row,
            reason,
            by,
        )
        .await
    }
}

async fn discard(
    connection: &mut SqliteConnection,
    note: &'static str,
    remove: &'static str,
    row: i64,
    reason: &str,
    by: &str,
) -> Result<u64, OutboxError> {
    let failed = || OutboxError::database("discarding a message");
    sqlx::query(note)
        .bind(row)
        .bind(reason)
        .bind(by)
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let done = sqlx::query(remove)
        .bind(row)
        .execute(connection)
        .await
        .map_err(failed())?;
    Ok(done.rows_affected())
}
