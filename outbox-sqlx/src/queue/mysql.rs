//! The queue on MySQL and MariaDB: what is not the same for every database.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Executor as _, MySql, MySqlPool, Row as _, ValueRef as _};

use super::append::{Appended, Delayed, created_at, headers_json};
use super::database::{Notifications, OwnConnection, QueueDatabase, bound, queue_cells};
use super::read::{PageBuilder, ReadFrom, StoredMessage};
use super::statement::{Arg, Cells, Statement};
use crate::cells::{bytes, integer, optional};
use crate::many::Statements;
use crate::mysql::numbered::{Numbered, numbered};
use crate::mysql::{BEGIN_OWN, STATEMENT_BYTES};
use crate::relay::mysql::session;
use crate::sql_store::statement_length;
use crate::stored_row::Unreadable;
use transaction_scope::sql;

const APPEND_PLACES: &str = sql!("mysql/queue_append_places.sql");
const READ: &str = sql!("mysql/queue_read.sql");
const READ_DUE: &str = sql!("mysql/queue_read_due.sql");
const FLUSH: &str = sql!("mysql/relay_flush.sql");

static APPEND_MANY: LazyLock<Statements> = LazyLock::new(|| Statements::new(sql!("mysql/queue_append.sql")));
static DELAY_MANY: LazyLock<Statements> = LazyLock::new(|| Statements::new(sql!("mysql/queue_delay.sql")));

/// How many queues one statement reads, the smallest that is enough: few statements, which stay in the connection's cache.
const READ_LENGTHS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// One statement for each of the lengths.
static READ_MANY: LazyLock<[String; READ_LENGTHS.len()]> =
    LazyLock::new(|| READ_LENGTHS.map(|queues| format!("{READ}\nUNION ALL\n").repeat(queues) + READ_DUE));

/// The last moment that the database's times know, 9999-12-31 23:59:59.999999, in microseconds since 1970.
const LATEST: i64 = 253_402_300_799_999_999;

impl QueueDatabase for MySql {
    type Lent = OwnConnection<MySqlConnection>;

    const KEEPS_CONNECTION: bool = true;
    const APPENDS_ALONE: bool = false;
    // Whether a commit waits for the disk is the server's setting, for all sessions.
    const BEGIN: &'static str = BEGIN_OWN;
    const BEGIN_DURABLE: &'static str = BEGIN_OWN;

    async fn lend(pool: &MySqlPool) -> sqlx::Result<Self::Lent> {
        let options = pool.connect_options().as_ref().clone();
        session::connect(options).await.map(OwnConnection)
    }

    /// Neither server can wake a session.
    fn notifications(_: &MySqlPool, _: Arc<dyn Fn() + Send + Sync>) -> Option<Notifications> {
        None
    }

    async fn append(connection: &mut MySqlConnection, messages: &[Appended<'_>]) -> sqlx::Result<bool> {
        if messages.is_empty() {
            return Ok(true);
        }
        // Those of a queue together: so they go to one place of the index.
        let mut messages: Vec<&Appended<'_>> = messages.iter().collect();
        messages.sort_by_key(|m| (m.queue, m.place));
        let Some(bases) = make_room(connection, &messages).await? else {
            return Ok(false);
        };
        let mut rest = &messages[..];
        while !rest.is_empty() {
            let (sql, rows) =
                APPEND_MANY.for_rows(statement_length(rest.iter().map(|m| m.message), STATEMENT_BYTES));
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
                    .bind(created_at(row.message).min(LATEST));
            }
            query.execute(&mut *connection).await?;
            rest = later;
        }
        Ok(true)
    }

    async fn delay(connection: &mut MySqlConnection, messages: &[Delayed<'_>]) -> sqlx::Result<()> {
        let mut rest = messages;
        while !rest.is_empty() {
            let (sql, rows) =
                DELAY_MANY.for_rows(statement_length(rest.iter().map(|m| m.message), STATEMENT_BYTES));
            let (now, later) = rest.split_at(rows);
            let mut query = sqlx::query(sql);
            for row in now {
                query = query
                    .bind(row.topic)
                    .bind(row.message.id().0)
                    .bind(row.message.key())
                    .bind(&row.message.payload()[..])
                    .bind(headers_json(row.message))
                    .bind(created_at(row.message).min(LATEST))
                    .bind(row.due.after)
                    .bind(row.due.at);
            }
            query.execute(&mut *connection).await?;
            rest = later;
        }
        Ok(())
    }

    async fn read(
        connection: &mut MySqlConnection,
        from: &[ReadFrom],
        topics: &[i64],
        page: &mut PageBuilder,
    ) -> sqlx::Result<()> {
        let topics = serde_json::json!(topics).to_string();
        let most = READ_LENGTHS[READ_LENGTHS.len() - 1];
        for now in from.chunks(most) {
            let length = READ_LENGTHS.partition_point(|&length| length < now.len());
            let mut query = sqlx::query(READ_MANY[length].as_str());
            for read in now {
                query = query.bind(read.queue).bind(read.offset).bind(read.rows);
            }
            // What is left of the statement reads nothing.
            for _ in now.len()..READ_LENGTHS[length] {
                query = query.bind(0_i64).bind(0_i64).bind(0_i64);
            }
            let mut rows = query.bind(&topics).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                if row.try_get_raw(0)?.is_null() {
                    page.delayed_due = true;
                } else {
                    page.take(stored(&row)?);
                }
            }
        }
        // InnoDB shows a transaction to others before its log has reached the disk. A crash of the server would take what an
        // owner has in its memory, and give the offset to another message, which the owner would believe to know.
        if !page.rows.is_empty() {
            sqlx::query(FLUSH).execute(connection).await?;
        }
        Ok(())
    }

    async fn execute(
        connection: &mut MySqlConnection,
        statement: Statement,
        args: &[Arg<'_>],
    ) -> sqlx::Result<u64> {
        let last = all_but_last(connection, statement, args).await?;
        let done = bound!(last.sql.as_str(), in_order(last, args))
            .execute(connection)
            .await?;
        Ok(done.rows_affected())
    }

    async fn rows(
        connection: &mut MySqlConnection,
        statement: Statement,
        args: &[Arg<'_>],
    ) -> sqlx::Result<Vec<Cells<Self>>> {
        let last = all_but_last(connection, statement, args).await?;
        let rows = bound!(last.sql.as_str(), in_order(last, args))
            .fetch_all(connection)
            .await?;
        Ok(rows.into_iter().map(Cells).collect())
    }

    queue_cells!();
}

/// Runs what stands before the last part of a statement, which answers.
async fn all_but_last(
    connection: &mut MySqlConnection,
    statement: Statement,
    args: &[Arg<'_>],
) -> sqlx::Result<&'static Numbered> {
    let mut part = numbered(statement.mysql);
    while let Some(then) = &part.then {
        bound!(part.sql.as_str(), in_order(part, args))
            .execute(&mut *connection)
            .await?;
        part = then;
    }
    Ok(part)
}

/// The arguments in the order of the text, each as often as it is used.
fn in_order<'a>(part: &'static Numbered, args: &'a [Arg<'a>]) -> impl Iterator<Item = &'a Arg<'a>> {
    part.order.iter().filter_map(|&argument| args.get(argument))
}

/// Makes room in the queues of these messages, and locks them. Returns each queue's first offset of theirs; `None` when a
/// topic has grown.
async fn make_room(
    connection: &mut MySqlConnection,
    messages: &[&Appended<'_>],
) -> sqlx::Result<Option<BTreeMap<i64, i64>>> {
    let mut wanted = BTreeMap::new();
    for message in messages {
        let (count, _) = wanted.entry(message.queue).or_insert((0, message.siblings));
        *count += 1;
    }
    let list: Vec<(i64, i64)> = wanted
        .iter()
        .map(|(&queue, &(count, _))| (queue, count))
        .collect();
    // Numbers only, so there is nothing to escape.
    let statement = APPEND_PLACES.replace("{queues}", &serde_json::json!(list).to_string());
    let rows = connection.fetch_all(AssertSqlSafe(statement)).await?;
    let mut bases = BTreeMap::new();
    for row in &rows {
        let (queue, next): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let siblings: i64 = row.try_get(2)?;
        if let Some(&(count, expected)) = wanted.get(&queue)
            && siblings == expected
        {
            bases.insert(queue, next - count);
        }
    }
    Ok((bases.len() == wanted.len()).then_some(bases))
}

fn stored(row: &MySqlRow) -> Result<StoredMessage<'_>, Unreadable> {
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
