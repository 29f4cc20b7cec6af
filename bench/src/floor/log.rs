//! The floor of `queue`: a log by hand. A batch is appended by one INSERT of many rows, which is its own transaction; a
//! reader takes 1,000 rows above its mark, makes owned values of them, and moves its cursor by one UPDATE.
//!
//! It binds the same bytes as ours does and reads the same columns. What it leaves out is what a queue adds: several
//! queues with an order that follows the commits, keys that stay in one, groups that share them, leases, acks one by one,
//! retries. Its sequence gives numbers in the order of the INSERTs and not of the commits, so with two writers its
//! reader would lose messages; here there is one.
//!
//! On Postgres its reader's session is set like a member's own: its UPDATE does not wait for the disk (with
//! `--durable-floor` it does), and there is one plan for all parameters. On MySQL how durable a commit is can't be said by a
//! session.

use std::future::Future;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use outbox_core::Message;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Database as SqlDatabase, Executor, MySql, Postgres, Row, Sqlite};
use tokio::sync::watch;
use uuid::Uuid;

use super::drain::{MYSQL_SESSION, mysql_time, raw, time};
use crate::clock;
use crate::database::{QueueEngine, ROWS_MAX, connect_mysql, connect_postgres, many};

/// Rows of one read.
const ROWS: i64 = 1_000;
/// Queues that the rows say they belong to; nothing depends on it.
const QUEUES: u64 = 8;
/// A reader that hears nothing for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// A row to be appended.
#[derive(Debug, Clone)]
pub(crate) struct BareMessage {
    queue: i32,
    id: Uuid,
    key: String,
    payload: Bytes,
    headers: &'static str,
    created_at: i64,
}

impl BareMessage {
    /// What a message says, without the message.
    pub(crate) fn of(n: u64, message: &Message) -> Self {
        Self {
            queue: (n % QUEUES) as i32,
            id: message.id().0,
            key: message.key().unwrap_or_default().to_owned(),
            payload: message.payload().clone(),
            headers: "{}",
            created_at: message
                .created_at()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_micros() as i64),
        }
    }
}

/// A row as a hand-written reader would hand it on.
#[derive(Debug)]
#[allow(
    dead_code,
    reason = "read from the database to do the same work, not to be looked at"
)]
pub(crate) struct BareRow {
    queue: i32,
    offset: i64,
    id: Uuid,
    key: Option<String>,
    payload: Vec<u8>,
    headers: Vec<u8>,
    created_at: i64,
}

/// Connections to a log written by hand.
pub(crate) trait BareLog: QueueEngine {
    /// One that appends.
    fn writer(url: &str) -> impl Future<Output = Result<<Self as SqlDatabase>::Connection>> + Send;

    /// One that reads.
    fn reader(
        url: &str,
        durable: bool,
    ) -> impl Future<Output = Result<<Self as SqlDatabase>::Connection>> + Send;

    /// Appends a batch in a transaction.
    fn append_rows(
        connection: &mut <Self as SqlDatabase>::Connection,
        batch: &[BareMessage],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// The next rows above a mark.
    fn read_rows(
        connection: &mut <Self as SqlDatabase>::Connection,
        mark: i64,
    ) -> impl Future<Output = Result<Vec<BareRow>>> + Send;

    /// Writes the mark down.
    fn move_cursor(
        connection: &mut <Self as SqlDatabase>::Connection,
        mark: i64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// Appends all batches, one after the other, and says how long that took. `appended` learns how many there are.
pub(crate) async fn append<L: BareLog>(
    url: &str,
    batches: Arc<Vec<Vec<BareMessage>>>,
    appended: watch::Sender<u64>,
) -> Result<Duration> {
    let mut connection = L::writer(url).await?;
    // A task of its own, as in `drain`.
    let task = tokio::spawn(async move {
        let begun = clock::now();
        for batch in &*batches {
            L::append_rows(&mut connection, batch)
                .await
                .context("the bare log's INSERT")?;
            appended.send_modify(|count| *count += batch.len() as u64);
        }
        let took = clock::now() - begun;
        connection.close().await.ok();
        anyhow::Ok(took)
    });
    task.await?
}

/// Reads so many messages from the beginning, and says how long that took, to the end of the last UPDATE. Where there
/// is nothing to read it waits until `appended` has changed.
pub(crate) async fn consume<L: BareLog>(
    url: &str,
    durable: bool,
    messages: u64,
    mut appended: watch::Receiver<u64>,
) -> Result<Duration> {
    let mut connection = L::reader(url, durable).await?;
    let task = tokio::spawn(async move {
        let begun = clock::now();
        let (mut mark, mut consumed) = (0, 0);
        while consumed < messages {
            appended.mark_unchanged();
            let rows = L::read_rows(&mut connection, mark)
                .await
                .context("the bare reader's SELECT")?;
            let Some(last) = rows.last() else {
                tokio::time::timeout(STUCK_AFTER, appended.changed())
                    .await
                    .with_context(|| format!("the bare reader found {consumed} of {messages} messages"))?
                    .context("nothing more is appended")?;
                continue;
            };
            mark = last.offset;
            consumed += rows.len() as u64;
            drop(black_box(rows));
            L::move_cursor(&mut connection, mark)
                .await
                .context("the bare reader's UPDATE")?;
        }
        let took = clock::now() - begun;
        connection.close().await.ok();
        if consumed != messages {
            bail!("the bare reader found {consumed} messages instead of {messages}");
        }
        Ok(took)
    });
    task.await?
}

/// One plan, made once: a walk along the primary key. With the statistics of a table that was empty a moment ago the
/// server would read and sort all of it for each batch, and the floor would be none.
const POSTGRES_PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
                              SET enable_bitmapscan = off; SET enable_sort = off";
const POSTGRES_APPEND: &str = include_str!("../../sql/postgres/log_append.sql");
const POSTGRES_READ: &str = include_str!("../../sql/postgres/log_read.sql");
const POSTGRES_CURSOR: &str = include_str!("../../sql/postgres/log_cursor.sql");

impl BareLog for Postgres {
    async fn writer(url: &str) -> Result<PgConnection> {
        connect_postgres(url).await
    }

    async fn reader(url: &str, durable: bool) -> Result<PgConnection> {
        let mut connection = connect_postgres(url).await?;
        connection.execute(POSTGRES_PLANS).await?;
        if !durable {
            connection.execute("SET synchronous_commit = off").await?;
        }
        Ok(connection)
    }

    async fn append_rows(connection: &mut PgConnection, batch: &[BareMessage]) -> sqlx::Result<()> {
        let queues: Vec<i32> = batch.iter().map(|row| row.queue).collect();
        let ids: Vec<Uuid> = batch.iter().map(|row| row.id).collect();
        let keys: Vec<&str> = batch.iter().map(|row| &*row.key).collect();
        let payloads: Vec<&[u8]> = batch.iter().map(|row| &row.payload[..]).collect();
        let headers: Vec<&str> = batch.iter().map(|row| row.headers).collect();
        let created: Vec<i64> = batch.iter().map(|row| row.created_at).collect();
        sqlx::query(POSTGRES_APPEND)
            .bind(queues)
            .bind(ids)
            .bind(keys)
            .bind(payloads)
            .bind(headers)
            .bind(created)
            .execute(connection)
            .await
            .map(drop)
    }

    async fn read_rows(connection: &mut PgConnection, mark: i64) -> Result<Vec<BareRow>> {
        let rows = sqlx::query(POSTGRES_READ)
            .bind(mark)
            .bind(ROWS)
            .fetch_all(connection)
            .await?;
        rows.iter().map(postgres_row).collect()
    }

    async fn move_cursor(connection: &mut PgConnection, mark: i64) -> sqlx::Result<()> {
        let moved = sqlx::query(POSTGRES_CURSOR)
            .bind(mark)
            .execute(connection)
            .await?;
        one_row(moved.rows_affected())
    }
}

fn postgres_row(row: &PgRow) -> Result<BareRow> {
    Ok(BareRow {
        queue: row.try_get(0)?,
        offset: row.try_get(1)?,
        id: row.try_get(2)?,
        key: row.try_get(3)?,
        payload: row.try_get(4)?,
        headers: raw(row, 5)?.context("headers are NULL")?.to_vec(),
        created_at: time(row, 6)?.context("created_at is NULL")?,
    })
}

const SQLITE_APPEND: &str = include_str!("../../sql/sqlite/log_append.sql");
const SQLITE_READ: &str = include_str!("../../sql/sqlite/log_read.sql");
const SQLITE_CURSOR: &str = include_str!("../../sql/sqlite/log_cursor.sql");
static SQLITE_MANY: LazyLock<Vec<String>> = LazyLock::new(|| many(SQLITE_APPEND));

impl BareLog for Sqlite {
    async fn writer(url: &str) -> Result<SqliteConnection> {
        let options = outbox_sqlx::sqlite::connect_options(url)?.disable_statement_logging();
        Ok(options.connect().await?)
    }

    async fn reader(url: &str, _: bool) -> Result<SqliteConnection> {
        Self::writer(url).await
    }

    async fn append_rows(connection: &mut SqliteConnection, batch: &[BareMessage]) -> sqlx::Result<()> {
        let statements: &'static Vec<String> = &SQLITE_MANY;
        for batch in batch.chunks(ROWS_MAX) {
            let mut query = sqlx::query(statements[batch.len()].as_str());
            for row in batch {
                query = query
                    .bind(row.queue)
                    .bind(row.id)
                    .bind(&*row.key)
                    .bind(&row.payload[..])
                    .bind(row.headers)
                    .bind(row.created_at);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn read_rows(connection: &mut SqliteConnection, mark: i64) -> Result<Vec<BareRow>> {
        let rows = sqlx::query(SQLITE_READ)
            .bind(mark)
            .bind(ROWS)
            .fetch_all(connection)
            .await?;
        rows.iter().map(sqlite_row).collect()
    }

    async fn move_cursor(connection: &mut SqliteConnection, mark: i64) -> sqlx::Result<()> {
        let moved = sqlx::query(SQLITE_CURSOR).bind(mark).execute(connection).await?;
        one_row(moved.rows_affected())
    }
}

fn sqlite_row(row: &SqliteRow) -> Result<BareRow> {
    Ok(BareRow {
        queue: row.try_get(0)?,
        offset: row.try_get(1)?,
        id: row.try_get(2)?,
        key: row.try_get(3)?,
        payload: row.try_get(4)?,
        headers: row.try_get::<String, _>(5)?.into_bytes(),
        created_at: row.try_get(6)?,
    })
}

const MYSQL_APPEND: &str = include_str!("../../sql/mysql/log_append.sql");
const MYSQL_READ: &str = include_str!("../../sql/mysql/log_read.sql");
const MYSQL_CURSOR: &str = include_str!("../../sql/mysql/log_cursor.sql");

static MYSQL_MANY: LazyLock<Vec<String>> = LazyLock::new(|| many(MYSQL_APPEND));

impl BareLog for MySql {
    async fn writer(url: &str) -> Result<MySqlConnection> {
        connect_mysql(url).await
    }

    async fn reader(url: &str, _: bool) -> Result<MySqlConnection> {
        let mut connection = connect_mysql(url).await?;
        connection.execute(MYSQL_SESSION).await?;
        Ok(connection)
    }

    async fn append_rows(connection: &mut MySqlConnection, batch: &[BareMessage]) -> sqlx::Result<()> {
        let statements: &'static Vec<String> = &MYSQL_MANY;
        for batch in batch.chunks(ROWS_MAX) {
            let mut query = sqlx::query(statements[batch.len()].as_str());
            for row in batch {
                query = query
                    .bind(row.queue)
                    .bind(row.id)
                    .bind(&*row.key)
                    .bind(&row.payload[..])
                    .bind(row.headers)
                    .bind(row.created_at);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn read_rows(connection: &mut MySqlConnection, mark: i64) -> Result<Vec<BareRow>> {
        let rows = sqlx::query(MYSQL_READ)
            .bind(mark)
            .bind(ROWS)
            .fetch_all(connection)
            .await?;
        rows.iter().map(mysql_row).collect()
    }

    async fn move_cursor(connection: &mut MySqlConnection, mark: i64) -> sqlx::Result<()> {
        let moved = sqlx::query(MYSQL_CURSOR).bind(mark).execute(connection).await?;
        one_row(moved.rows_affected())
    }
}

fn mysql_row(row: &MySqlRow) -> Result<BareRow> {
    Ok(BareRow {
        queue: row.try_get(0)?,
        offset: row.try_get(1)?,
        id: row.try_get(2)?,
        key: row.try_get(3)?,
        payload: row.try_get(4)?,
        headers: row.try_get::<String, _>(5)?.into_bytes(),
        created_at: mysql_time(row, 6)?.context("created_at is NULL")?,
    })
}

/// A cursor that is not there would cost nothing.
fn one_row(affected: u64) -> sqlx::Result<()> {
    if affected == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}
