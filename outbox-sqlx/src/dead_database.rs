//! What operators' work on dead letters asks of a database. Private: `dead` is what is used.

use std::future::Future;

use outbox_core::{MessageId, Shard};
use sqlx::{ColumnIndex, Database, Decode, Pool, Row, Type};
use uuid::Uuid;

use crate::dead::DeadFilter;
use crate::error::OutboxError;

/// A dead letter as it is stored.
pub struct LetterRow {
    pub(crate) row: i64,
    pub(crate) id: Uuid,
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
    pub(crate) attempts: i32,
    pub(crate) last_error: Option<String>,
    pub(crate) reason: String,
    pub(crate) created_at: i64,
    pub(crate) died_at: i64,
    pub(crate) payload_bytes: i64,
    pub(crate) is_parked: bool,
}

impl<'r, R: Row> sqlx::FromRow<'r, R> for LetterRow
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    i32: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    /// By position, the columns of `dead_list.sql`.
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            row: row.try_get(0)?,
            id: row.try_get(1)?,
            topic: row.try_get(2)?,
            key: row.try_get(3)?,
            attempts: row.try_get(4)?,
            last_error: row.try_get(5)?,
            reason: row.try_get(6)?,
            created_at: row.try_get(7)?,
            died_at: row.try_get(8)?,
            payload_bytes: row.try_get(9)?,
            is_parked: row.try_get(10)?,
        })
    }
}

/// Row, id, topic, key, attempts, last error, created.
pub(crate) type BlockedRow = (i64, Uuid, String, Option<String>, i32, Option<String>, i64);
/// Topic, key, error, parked.
pub(crate) type ParkedRow = (String, String, Option<String>, i64);

/// The statements behind `dead`. Those that take a connection are steps of one transaction.
pub trait DeadDatabase: Database {
    /// A page of dead letters.
    fn dead_letters(
        pool: &Pool<Self>,
        filter: &DeadFilter,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<LetterRow>, OutboxError>> + Send;

    /// Payload, headers and the rest of one dead letter.
    #[allow(clippy::type_complexity)]
    fn dead_content(
        pool: &Pool<Self>,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<(Vec<u8>, String, LetterRow)>, OutboxError>> + Send;

    /// A page of blocked messages.
    fn blocked_messages(
        pool: &Pool<Self>,
        after: i64,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<BlockedRow>, OutboxError>> + Send;

    /// A page of parked keys.
    fn parked_keys(
        pool: &Pool<Self>,
        after: (&str, &str),
        limit: i64,
    ) -> impl Future<Output = Result<Vec<ParkedRow>, OutboxError>> + Send;

    /// Row, shard, topic and key of a dead letter.
    #[allow(clippy::type_complexity)]
    fn find_dead(
        connection: &mut Self::Connection,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<(i64, i64, String, Option<String>)>, OutboxError>> + Send;

    /// Locks a shard and makes its owner read again from `row`.
    fn rewind(
        connection: &mut Self::Connection,
        shard: i64,
        row: i64,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// If the key is parked: how many dead letters it has beside `row`.
    fn parked_others(
        connection: &mut Self::Connection,
        topic: &str,
        key: &str,
        row: i64,
    ) -> impl Future<Output = Result<Option<i64>, OutboxError>> + Send;

    /// Forgets that the key is parked.
    fn unpark(
        connection: &mut Self::Connection,
        topic: &str,
        key: &str,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Moves one dead letter back; returns how many that were.
    fn redrive_row(
        connection: &mut Self::Connection,
        row: i64,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Locks the key's shards, `shard` among them, against burying and parking.
    fn lock_key(
        connection: &mut Self::Connection,
        topic: &str,
        key: &str,
        shard: Shard,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Makes the owners of the key's shards read again, and moves all its dead letters back; returns how many there
    /// were. The shards are locked.
    fn redrive_rows(
        connection: &mut Self::Connection,
        topic: &str,
        key: &str,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// The row of a blocked message.
    fn find_blocked(
        connection: &mut Self::Connection,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<i64>, OutboxError>> + Send;

    /// Notes what is done with a dead letter, and locks it; returns 0 where it is not there or died at `until`
    /// (microseconds since 1970) or later.
    fn audit_dead(
        connection: &mut Self::Connection,
        row: i64,
        deed: Deed<'_>,
        until: i64,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Notes that all dead letters of a key are redriven; returns how many there are.
    fn audit_key(
        connection: &mut Self::Connection,
        topic: &str,
        key: &str,
        by: &str,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Notes what is done with a blocked message, and locks it; returns 0 where it is not blocked.
    fn audit_blocked(
        connection: &mut Self::Connection,
        row: i64,
        deed: Deed<'_>,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Replaces a dead letter by a note; returns how many that were.
    fn discard_dead(
        connection: &mut Self::Connection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Replaces a blocked message by a note; returns how many that were.
    fn discard_blocked(
        connection: &mut Self::Connection,
        row: i64,
        reason: &str,
        by: &str,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Makes a blocked message due; returns how many that were.
    fn unblock_row(
        connection: &mut Self::Connection,
        row: i64,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;
}

/// What an operator does, as the audit notes it.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    pub(crate) action: &'static str,
    pub(crate) by: &'a str,
    pub(crate) reason: Option<&'a str>,
}

/// The methods whose code is the same for each database but for the SQL files.
macro_rules! dead_queries {
    ($folder:literal) => {
        async fn dead_letters(
            pool: &sqlx::Pool<Self>,
            filter: &$crate::dead::DeadFilter,
            limit: i64,
        ) -> Result<Vec<$crate::dead_database::LetterRow>, OutboxError> {
            sqlx::query_as(sql!($folder, "/dead_list.sql"))
                .bind(filter.topic.as_deref())
                .bind(filter.key.as_deref())
                .bind(filter.after.unwrap_or(i64::MIN))
                .bind(limit)
                .fetch_all(pool)
                .await
                .map_err(OutboxError::database("listing dead letters"))
        }

        async fn dead_content(
            pool: &sqlx::Pool<Self>,
            id: MessageId,
        ) -> Result<Option<(Vec<u8>, String, $crate::dead_database::LetterRow)>, OutboxError> {
            use sqlx::{FromRow, Row};
            let row = sqlx::query(sql!($folder, "/dead_show.sql"))
                .bind(id.0)
                .fetch_optional(pool)
                .await
                .and_then(|row| {
                    row.map(|row| Ok((row.try_get(11)?, row.try_get(12)?, FromRow::from_row(&row)?)))
                        .transpose()
                });
            row.map_err(OutboxError::database("reading a dead letter"))
        }

        async fn blocked_messages(
            pool: &sqlx::Pool<Self>,
            after: i64,
            limit: i64,
        ) -> Result<Vec<$crate::dead_database::BlockedRow>, OutboxError> {
            sqlx::query_as(sql!($folder, "/blocked_list.sql"))
                .bind(after)
                .bind(limit)
                .fetch_all(pool)
                .await
                .map_err(OutboxError::database("listing blocked messages"))
        }

        async fn parked_keys(
            pool: &sqlx::Pool<Self>,
            (topic, key): (&str, &str),
            limit: i64,
        ) -> Result<Vec<$crate::dead_database::ParkedRow>, OutboxError> {
            sqlx::query_as(sql!($folder, "/parked_list.sql"))
                .bind(topic)
                .bind(key)
                .bind(limit)
                .fetch_all(pool)
                .await
                .map_err(OutboxError::database("listing parked keys"))
        }

        async fn find_dead(
            connection: &mut Self::Connection,
            id: MessageId,
        ) -> Result<Option<(i64, i64, String, Option<String>)>, OutboxError> {
            sqlx::query_as(sql!($folder, "/dead_find.sql"))
                .bind(id.0)
                .fetch_optional(connection)
                .await
                .map_err(OutboxError::database("looking for a dead letter"))
        }

        async fn rewind(connection: &mut Self::Connection, shard: i64, row: i64) -> Result<(), OutboxError> {
            sqlx::query(sql!($folder, "/rewind.sql"))
                .bind(shard)
                .bind(row)
                .execute(connection)
                .await
                .map(drop)
                .map_err(OutboxError::database("locking a shard"))
        }

        async fn parked_others(
            connection: &mut Self::Connection,
            topic: &str,
            key: &str,
            row: i64,
        ) -> Result<Option<i64>, OutboxError> {
            sqlx::query_scalar(sql!($folder, "/parked_others.sql"))
                .bind(topic)
                .bind(key)
                .bind(row)
                .fetch_optional(connection)
                .await
                .map_err(OutboxError::database("looking for a parked key"))
        }

        async fn unpark(
            connection: &mut Self::Connection,
            topic: &str,
            key: &str,
        ) -> Result<(), OutboxError> {
            sqlx::query(sql!($folder, "/unpark.sql"))
                .bind(topic)
                .bind(key)
                .execute(connection)
                .await
                .map(drop)
                .map_err(OutboxError::database("un-parking a key"))
        }

        async fn find_blocked(
            connection: &mut Self::Connection,
            id: MessageId,
        ) -> Result<Option<i64>, OutboxError> {
            sqlx::query_scalar(sql!($folder, "/blocked_find_row.sql"))
                .bind(id.0)
                .fetch_optional(connection)
                .await
                .map_err(OutboxError::database("looking for a blocked message"))
        }

        async fn audit_dead(
            connection: &mut Self::Connection,
            row: i64,
            deed: $crate::dead_database::Deed<'_>,
            until: i64,
        ) -> Result<u64, OutboxError> {
            sqlx::query(sql!($folder, "/audit_dead.sql"))
                .bind(deed.action)
                .bind(deed.by)
                .bind(deed.reason)
                .bind(row)
                .bind(until)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(OutboxError::database(
                    "noting what is done with a dead letter",
                ))
        }

        async fn audit_key(
            connection: &mut Self::Connection,
            topic: &str,
            key: &str,
            by: &str,
        ) -> Result<u64, OutboxError> {
            sqlx::query(sql!($folder, "/audit_key.sql"))
                .bind(by)
                .bind(topic)
                .bind(key)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(OutboxError::database("noting what is done with a key"))
        }

        async fn audit_blocked(
            connection: &mut Self::Connection,
            row: i64,
            deed: $crate::dead_database::Deed<'_>,
        ) -> Result<u64, OutboxError> {
            sqlx::query(sql!($folder, "/audit_blocked.sql"))
                .bind(deed.action)
                .bind(deed.by)
                .bind(deed.reason)
                .bind(row)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(OutboxError::database(
                    "noting what is done with a blocked message",
                ))
        }

        async fn unblock_row(connection: &mut Self::Connection, row: i64) -> Result<u64, OutboxError> {
            sqlx::query(sql!($folder, "/unblock.sql"))
                .bind(row)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(OutboxError::database("unblocking a message"))
        }
    };
}

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub(crate) use dead_queries;
