//! The queue on Postgres: what is not the same for every database.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{PgPool, Postgres, Row as _, ValueRef as _};

use super::append::{Appended, Delayed, created_at, headers_json};
use super::database::{Notifications, OwnConnection, QueueDatabase, queue_cells, queue_statements};
use super::read::{PageBuilder, ReadFrom, StoredMessage};
use super::statement::Arg;
use crate::postgres::Notifier;
use crate::postgres::wire::{Timestamp, bytes, integer, optional, unix};
use crate::relay::PostgresWakeListener;
use crate::relay::count;
use crate::relay::postgres::session;
use crate::stored_row::Unreadable;
use transaction_scope::sql;

const APPEND: &str = sql!("postgres/queue_append.sql");
const DELAY: &str = sql!("postgres/queue_delay.sql");
const READ: &str = sql!("postgres/queue_read.sql");

impl QueueDatabase for Postgres {
    type Lent = OwnConnection<PgConnection>;

    const KEEPS_CONNECTION: bool = true;
    const APPENDS_ALONE: bool = true;
    const BEGIN: &'static str = "BEGIN";
    const BEGIN_DURABLE: &'static str = session::BEGIN_DURABLE;

    async fn lend(pool: &PgPool) -> sqlx::Result<Self::Lent> {
        let options = pool.connect_options().as_ref().clone();
        session::connect(options, "outbox-consumer")
            .await
            .map(OwnConnection)
    }

    fn notifications(pool: &PgPool, heard: Arc<dyn Fn() + Send + Sync>) -> Option<Notifications> {
        let options = pool.connect_options().as_ref().clone();
        Some(Notifications {
            notifier: Notifier::builder(options.clone()).for_queue().start(),
            _listener: PostgresWakeListener::for_queue(options, heard),
        })
    }

    async fn append(connection: &mut PgConnection, messages: &[Appended<'_>]) -> sqlx::Result<bool> {
        let mut queues = Vec::new();
        let (mut numbers, mut siblings) = (Vec::new(), Vec::new());
        // Those of a queue together: so they go to one place of the index.
        let mut messages: Vec<&Appended<'_>> = messages.iter().collect();
        messages.sort_by_key(|m| (m.queue, m.place));
        let (mut indexes, mut places) = (
            Vec::with_capacity(messages.len()),
            Vec::with_capacity(messages.len()),
        );
        for of_queue in messages.chunk_by(|a, b| a.queue == b.queue) {
            queues.extend(of_queue.first().map(|m| int4(m.queue)));
            siblings.extend(of_queue.first().map(|m| int4(m.siblings)));
            numbers.push(count(of_queue.len()));
            let index = i32::try_from(queues.len()).unwrap_or(i32::MAX);
            indexes.extend(of_queue.iter().map(|_| index));
            places.extend(of_queue.iter().map(|m| m.place));
        }
        let message_ids: Vec<uuid::Uuid> = messages.iter().map(|m| m.message.id().0).collect();
        let keys: Vec<Option<&str>> = messages.iter().map(|m| m.message.key()).collect();
        let payloads: Vec<&[u8]> = messages.iter().map(|m| &m.message.payload()[..]).collect();
        let headers: Vec<_> = messages.iter().map(|m| headers_json(m.message)).collect();
        let headers: Vec<&str> = headers.iter().map(|headers| &**headers).collect();
        let created: Vec<Timestamp> = messages
            .iter()
            .map(|m| Timestamp(created_at(m.message)))
            .collect();
        let done = sqlx::query(APPEND)
            .bind(queues)
            .bind(numbers)
            .bind(siblings)
            .bind(indexes)
            .bind(places)
            .bind(message_ids)
            .bind(keys)
            .bind(payloads)
            .bind(headers)
            .bind(created)
            .execute(connection)
            .await?;
        Ok(done.rows_affected() == messages.len() as u64)
    }

    async fn delay(connection: &mut PgConnection, messages: &[Delayed<'_>]) -> sqlx::Result<()> {
        let topics: Vec<i32> = messages.iter().map(|m| int4(m.topic)).collect();
        let message_ids: Vec<uuid::Uuid> = messages.iter().map(|m| m.message.id().0).collect();
        let keys: Vec<Option<&str>> = messages.iter().map(|m| m.message.key()).collect();
        let payloads: Vec<&[u8]> = messages.iter().map(|m| &m.message.payload()[..]).collect();
        let headers: Vec<_> = messages.iter().map(|m| headers_json(m.message)).collect();
        let headers: Vec<&str> = headers.iter().map(|headers| &**headers).collect();
        let created: Vec<i64> = messages.iter().map(|m| created_at(m.message)).collect();
        let after: Vec<Option<i64>> = messages.iter().map(|m| m.due.after).collect();
        let at: Vec<Option<i64>> = messages.iter().map(|m| m.due.at).collect();
        sqlx::query(DELAY)
            .bind(topics)
            .bind(message_ids)
            .bind(keys)
            .bind(payloads)
            .bind(headers)
            .bind(created)
            .bind(after)
            .bind(at)
            .execute(connection)
            .await
            .map(drop)
    }

    async fn read(
        connection: &mut PgConnection,
        from: &[ReadFrom],
        topics: &[i64],
        page: &mut PageBuilder,
    ) -> sqlx::Result<()> {
        let queues: Vec<i32> = from.iter().map(|f| int4(f.queue)).collect();
        let offsets: Vec<i64> = from.iter().map(|f| f.offset).collect();
        let rows: Vec<i64> = from.iter().map(|f| f.rows).collect();
        let topics: Vec<i32> = topics.iter().map(|&topic| int4(topic)).collect();
        let mut answer = sqlx::query(READ)
            .bind(queues)
            .bind(offsets)
            .bind(rows)
            .bind(topics)
            .fetch(connection);
        while let Some(row) = answer.try_next().await? {
            if row.try_get_raw(0)?.is_null() {
                page.delayed_due = true;
            } else {
                page.take(stored(&row)?);
            }
        }
        Ok(())
    }

    queue_statements!(postgres);
    queue_cells!();
}

fn stored(row: &PgRow) -> Result<StoredMessage<'_>, Unreadable> {
    Ok(StoredMessage {
        queue: integer::<4>(row, 0, "queue_id")?,
        offset: integer::<8>(row, 1, "queue_offset")?,
        message_id: bytes(row, 2, "message_id")?,
        key: optional(row, 3)?,
        payload: bytes(row, 4, "payload")?,
        headers: bytes(row, 5, "headers")?,
        created_at: unix(integer::<8>(row, 6, "created_at")?),
    })
}

/// Ids of topics and queues are `integer`.
fn int4(id: i64) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}
