//! The floor of `relay`: one connection; a SELECT of the columns that the relay reads, above a mark, 1,000 rows; the
//! sink; one DELETE of their ids. Nothing else: no order, no retries, no leases, no second reader.
//!
//! On Postgres its session is set like the relay's own (its DELETE does not wait for the disk, one plan for all
//! parameters), because any loop written by hand could have that too. `--durable-floor` leaves the session as it
//! is. On MySQL its session is READ COMMITTED as the relay's; how durable a commit is can't be said by a session there.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use outbox_core::{Message, MessageId, Publisher};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use uuid::Uuid;

use crate::clock;
use crate::database::{Database, Kind, connect_mysql, connect_postgres};
use crate::relay::Sink;

const POSTGRES_PAGE: &str = include_str!("../../sql/postgres/page.sql");
const POSTGRES_DELETE: &str = include_str!("../../sql/postgres/delete.sql");
const POSTGRES_SESSION: &str =
    "SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan; SET jit = off";
const MYSQL_PAGE: &str = include_str!("../../sql/mysql/page.sql");
const MYSQL_DELETE: &str = include_str!("../../sql/mysql/delete.sql");
pub(super) const MYSQL_SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
const SQLITE_PAGE: &str = include_str!("../../sql/sqlite/page.sql");
const SQLITE_DELETE: &str = include_str!("../../sql/sqlite/delete.sql");

/// Rows of one batch.
const ROWS: i64 = 1_000;

/// A row as a hand-written relay would hand it on.
#[derive(Debug)]
#[allow(
    dead_code,
    reason = "read from the database to do the same work, not to be looked at"
)]
pub(super) struct BareRow {
    pub(super) id: i64,
    message_id: Uuid,
    shard: i16,
    topic: String,
    key: Option<String>,
    payload: Vec<u8>,
    headers: Vec<u8>,
    created_at: i64,
    due_at: Option<i64>,
    hold: i16,
    attempts: i32,
}

impl BareRow {
    pub(super) fn message(self) -> Message {
        let message = Message::restore(self.topic, MessageId(self.message_id), SystemTime::UNIX_EPOCH);
        match self.key {
            Some(key) => message.key(key),
            None => message,
        }
        .payload(self.payload, outbox_core::Headers::DEFAULT_CONTENT_TYPE)
        .build_unchecked()
    }
}

/// Drains the whole outbox and says how long that took, from the first SELECT to the end of the last DELETE. The
/// connection is made before. With a sink, each key has one message at a time with it.
///
/// # Errors
/// The database's, or a number of messages other than expected.
pub(crate) async fn drain(
    database: &Database,
    messages: u64,
    durable: bool,
    sink: Option<Sink>,
) -> Result<Duration> {
    let bare = open(database, durable).await?;
    // A task of its own, as our relay is: on the main thread, each answer of the database would have to be handed over
    // by the thread that waits for the sockets.
    tokio::spawn(run(bare, messages, sink)).await?
}

async fn run(mut bare: Box<dyn BareLoop>, messages: u64, sink: Option<Sink>) -> Result<Duration> {
    let begun = clock::now();
    let (mut mark, mut drained, mut ended) = (0, 0, begun);
    loop {
        let rows = bare.page(mark).await.context("the bare loop's SELECT")?;
        let Some(last) = rows.last() else { break };
        mark = last.id;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        match &sink {
            None => drop(black_box(rows)),
            Some(sink) => in_order(rows, sink).await?,
        }
        bare.delete(&ids).await.context("the bare loop's DELETE")?;
        drained += ids.len() as u64;
        ended = clock::now();
    }
    if drained != messages {
        bail!("the bare loop found {drained} messages instead of {messages}");
    }
    Ok(ended - begun)
}

/// The strictest order by hand: a page is cut into waves that hold each key once, and a wave goes when the one
/// before has been answered.
async fn in_order(rows: Vec<BareRow>, sink: &Sink) -> Result<()> {
    let mut waves: Vec<Vec<Message>> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let key = row.key.clone().context("a message without a key")?;
        let wave = seen.entry(key).or_default();
        let message = row.message();
        if waves.len() == *wave {
            waves.push(Vec::new());
        }
        waves[*wave].push(message);
        *wave += 1;
    }
    for wave in waves {
        for answer in sink.publish(&wave).await {
            answer?;
        }
    }
    Ok(())
}

pub(super) async fn open(database: &Database, durable: bool) -> Result<Box<dyn BareLoop>> {
    Ok(match database.kind {
        Kind::Postgres => {
            let mut connection = connect_postgres(&database.url).await?;
            if !durable {
                connection.execute(POSTGRES_SESSION).await?;
            }
            Box::new(OnPostgres(connection))
        }
        Kind::Mysql => {
            let mut connection = connect_mysql(&database.url).await?;
            connection.execute(MYSQL_SESSION).await?;
            Box::new(OnMysql(connection))
        }
        Kind::Sqlite => {
            let options = outbox_sqlx::sqlite::connect_options(&database.url)?.disable_statement_logging();
            Box::new(OnSqlite(options.connect().await?))
        }
    })
}

/// One connection that reads pages and deletes.
#[async_trait]
pub(super) trait BareLoop: Send {
    async fn page(&mut self, mark: i64) -> Result<Vec<BareRow>>;
    async fn delete(&mut self, ids: &[i64]) -> Result<()>;
}

struct OnPostgres(PgConnection);

#[async_trait]
impl BareLoop for OnPostgres {
    async fn page(&mut self, mark: i64) -> Result<Vec<BareRow>> {
        let rows = sqlx::query(POSTGRES_PAGE)
            .bind(mark)
            .bind(ROWS)
            .fetch_all(&mut self.0)
            .await?;
        rows.iter().map(postgres_row).collect()
    }

    async fn delete(&mut self, ids: &[i64]) -> Result<()> {
        sqlx::query(POSTGRES_DELETE)
            .bind(ids)
            .execute(&mut self.0)
            .await?;
        Ok(())
    }
}

fn postgres_row(row: &PgRow) -> Result<BareRow> {
    Ok(BareRow {
        id: row.try_get(0)?,
        message_id: row.try_get(1)?,
        shard: row.try_get(2)?,
        topic: row.try_get(3)?,
        key: row.try_get(4)?,
        payload: row.try_get(5)?,
        headers: raw(row, 6)?.context("headers are NULL")?.to_vec(),
        created_at: time(row, 7)?.context("created_at is NULL")?,
        due_at: time(row, 8)?,
        hold: row.try_get(9)?,
        attempts: row.try_get(10)?,
    })
}

pub(super) fn raw(row: &PgRow, column: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(column)?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    value
        .as_bytes()
        .map(Some)
        .map_err(|error| anyhow::anyhow!("column {column}: {error}"))
}

/// Microseconds, as the server counts them.
pub(super) fn time(row: &PgRow, column: usize) -> Result<Option<i64>> {
    let bytes = raw(row, column)?.map(<[u8; 8]>::try_from).transpose()?;
    Ok(bytes.map(i64::from_be_bytes))
}

struct OnMysql(MySqlConnection);

#[async_trait]
impl BareLoop for OnMysql {
    async fn page(&mut self, mark: i64) -> Result<Vec<BareRow>> {
        let rows = sqlx::query(MYSQL_PAGE)
            .bind(mark)
            .bind(ROWS)
            .fetch_all(&mut self.0)
            .await?;
        rows.iter().map(mysql_row).collect()
    }

    async fn delete(&mut self, ids: &[i64]) -> Result<()> {
        let mut list = String::new();
        for id in ids {
            let comma = if list.is_empty() { "" } else { "," };
            let _ = write!(list, "{comma}{id}");
        }
        // Numbers only.
        let statement = MYSQL_DELETE.replace("{ids}", &list);
        self.0.execute(AssertSqlSafe(statement)).await?;
        Ok(())
    }
}

fn mysql_row(row: &MySqlRow) -> Result<BareRow> {
    Ok(BareRow {
        id: row.try_get(0)?,
        message_id: row.try_get(1)?,
        shard: row.try_get(2)?,
        topic: row.try_get(3)?,
        key: row.try_get(4)?,
        payload: row.try_get(5)?,
        headers: row.try_get::<String, _>(6)?.into_bytes(),
        created_at: mysql_time(row, 7)?.context("created_at is NULL")?,
        due_at: mysql_time(row, 8)?,
        hold: row.try_get(9)?,
        attempts: row.try_get(10)?,
    })
}

/// The parts of a time as the server sends them, side by side in one number: any type for times would be made of them.
pub(super) fn mysql_time(row: &MySqlRow, column: usize) -> Result<Option<i64>> {
    let value = row.try_get_raw(column)?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    let bytes = <&[u8] as sqlx::Decode<sqlx::MySql>>::decode(value)
        .map_err(|error| anyhow::anyhow!("column {column}: {error}"))?;
    let part = |at: usize| i64::from(bytes.get(at).copied().unwrap_or(0));
    let micros = (8..12).rev().fold(0, |micros, at| micros << 8 | part(at));
    let date = (part(1) | part(2) << 8) << 9 | part(3) << 5 | part(4);
    Ok(Some(
        ((date << 17) | part(5) << 12 | part(6) << 6 | part(7)) << 20 | micros,
    ))
}

struct OnSqlite(SqliteConnection);

#[async_trait]
impl BareLoop for OnSqlite {
    async fn page(&mut self, mark: i64) -> Result<Vec<BareRow>> {
        let rows = sqlx::query(SQLITE_PAGE)
            .bind(mark)
            .bind(ROWS)
            .fetch_all(&mut self.0)
            .await?;
        rows.iter().map(sqlite_row).collect()
    }

    async fn delete(&mut self, ids: &[i64]) -> Result<()> {
        sqlx::query(SQLITE_DELETE)
            .bind(serde_json::to_string(ids)?)
            .execute(&mut self.0)
            .await?;
        Ok(())
    }
}

fn sqlite_row(row: &SqliteRow) -> Result<BareRow> {
    Ok(BareRow {
        id: row.try_get(0)?,
        message_id: row.try_get(1)?,
        shard: row.try_get(2)?,
        topic: row.try_get(3)?,
        key: row.try_get(4)?,
        payload: row.try_get(5)?,
        headers: row.try_get::<String, _>(6)?.into_bytes(),
        created_at: row.try_get(7)?,
        due_at: row.try_get(8)?,
        hold: row.try_get(9)?,
        attempts: row.try_get(10)?,
    })
}
