//! The queue on SQLite: what is not the same for every database.

use futures_util::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Sqlite, SqlitePool};

use super::append::{Appended, Delayed, created_at, headers_json};
use super::database::{Notifications, QueueDatabase, queue_cells, queue_statements};
use super::read::{PageBuilder, ReadFrom, StoredMessage};
use super::statement::Arg;
use crate::cells::{bytes, integer, optional};
use crate::many::Statements;
use crate::stored_row::Unreadable;
use transaction_scope::sql;

const APPEND_PLACE: &str = sql!("sqlite/queue_append_place.sql");
const APPEND: &str = sql!("sqlite/queue_append.sql");
const DELAY: &str = sql!("sqlite/queue_delay.sql");
const READ: &str = sql!("sqlite/queue_read.sql");
const NEWS: &str = sql!("sqlite/queue_news.sql");

static APPEND_MANY: std::sync::LazyLock<Statements> = std::sync::LazyLock::new(|| Statements::new(APPEND));

impl QueueDatabase for Sqlite {
    type Lent = PoolConnection<Sqlite>;

    const KEEPS_CONNECTION: bool = false;
    const APPENDS_ALONE: bool = false;
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const BEGIN_DURABLE: &'static str = "BEGIN IMMEDIATE";

    async fn lend(pool: &SqlitePool) -> sqlx::Result<PoolConnection<Sqlite>> {
        pool.acquire().await
    }

    fn notifications(_: &SqlitePool, _: std::sync::Arc<dyn Fn() + Send + Sync>) -> Option<Notifications> {
        None
    }

    async fn append(connection: &mut SqliteConnection, messages: &[Appended<'_>]) -> sqlx::Result<bool> {
        let mut bases = std::collections::BTreeMap::new();
        for (queue, (count, siblings)) in counts(messages) {
            let base: Option<i64> = sqlx::query_scalar(APPEND_PLACE)
                .bind(queue)
                .bind(siblings)
                .bind(count)
                .fetch_optional(&mut *connection)
                .await?;
            let Some(base) = base else {
                return Ok(false);
            };
            bases.insert(queue, base);
        }
        let mut rest = messages;
        while !rest.is_empty() {
            let (sql, rows) = APPEND_MANY.for_rows(rest.len());
            let (now, later) = rest.split_at(rows);
            let mut query = sqlx::query(sql);
            for row in now {
                let base = bases.get(&row.queue).copied().unwrap_or_default();
                query = query
                    .bind(row.queue)
                    .bind(base + row.place)
                    .bind(row.message.id().0)
                    .bind(row.message.key())
                    .bind(&row.message.payload()[..])
                    .bind(headers_json(row.message))
                    .bind(created_at(row.message));
            }
            query.execute(&mut *connection).await?;
            rest = later;
        }
        Ok(true)
    }

    async fn delay(connection: &mut SqliteConnection, messages: &[Delayed<'_>]) -> sqlx::Result<()> {
        for row in messages {
            sqlx::query(DELAY)
                .bind(row.topic)
                .bind(row.message.id().0)
                .bind(row.message.key())
                .bind(&row.message.payload()[..])
                .bind(headers_json(row.message))
                .bind(created_at(row.message))
                .bind(row.due.after)
                .bind(row.due.at)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    async fn read(
        connection: &mut SqliteConnection,
        from: &[ReadFrom],
        topics: &[i64],
        page: &mut PageBuilder,
    ) -> sqlx::Result<()> {
        let pairs: Vec<(i64, i64)> = from.iter().map(|read| (read.queue, read.offset)).collect();
        let news: Vec<Option<i64>> = sqlx::query_scalar(NEWS)
            .bind(serde_json::json!(pairs).to_string())
            .bind(serde_json::json!(topics).to_string())
            .fetch_all(&mut *connection)
            .await?;
        page.delayed_due = news.contains(&None);
        for read in from.iter().filter(|read| news.contains(&Some(read.queue))) {
            let mut rows = sqlx::query(READ)
                .bind(read.queue)
                .bind(read.offset)
                .bind(read.rows)
                .fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                page.take(stored(&row)?);
            }
        }
        Ok(())
    }

    queue_statements!(sqlite);
    queue_cells!();
}

fn stored(row: &SqliteRow) -> Result<StoredMessage<'_>, Unreadable> {
    Ok(StoredMessage {
        queue: integer(row, 0, "queue_id")?,
        offset: integer(row, 1, "queue_offset")?,
        message_id: bytes(row, 2, "message_id")?,
        key: optional(row, 3, "message_key")?,
        payload: bytes(row, 4, "payload")?,
        headers: bytes(row, 5, "headers")?,
        created_at: integer(row, 6, "created_at")?,
    })
}

/// How many messages each queue gets.
fn counts(messages: &[Appended<'_>]) -> std::collections::BTreeMap<i64, (i64, i64)> {
    let mut counts = std::collections::BTreeMap::new();
    for message in messages {
        let (count, siblings) = counts.entry(message.queue).or_insert((0, message.siblings));
        *count += 1;
        *siblings = message.siblings;
    }
    counts
}
