use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use outbox_core::relay::RelayStore;
use outbox_core::{Message, MessageId};
use outbox_sqlx::{Outbox, OutboxError, PostgresRelayStore};
use outbox_test_harness::postgres::{with_database, without_password};
use outbox_test_harness::{Postgres, PostgresOptions};
use serde_json::{Map, Value};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Transaction};

use super::engine::{Engine, ORDER_DETAIL, Shared, Shares};
use super::sqlite::warn_if_in_memory;
use crate::clock;
use crate::content::{TOPIC, payload_parts};

const TABLES: &str = include_str!("../../sql/postgres/tables.sql");
const EMPTY: &str = include_str!("../../sql/postgres/empty.sql");
const LOAD: &str = include_str!("../../sql/postgres/load.sql");
const ORDER: &str = include_str!("../../sql/postgres/order.sql");
const SHARES: &str = include_str!("../../sql/postgres/shares.sql");

/// What a private server has beside PostgreSQL's defaults: room for the data, and no checkpoint that falls into one
/// round and not into the other (there is one before each measurement instead).
const PRIVATE: [(&str, &str); 4] = [
    ("shared_buffers", "512MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
    ("max_connections", "200"),
];

/// What is reported of the server, because figures depend on it.
const REPORTED: [&str; 6] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "shared_buffers",
    "max_wal_size",
    "autovacuum",
];

/// How long a client waits for a connection of its pool.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(60);

/// `insufficient_privilege`
const NO_RIGHT: &str = "42501";

/// A server, and the databases that were created on it.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    /// A database to create others from.
    url: String,
    created: Vec<String>,
    settings: Map<String, Value>,
    /// Stopped with the value.
    _private: Option<Postgres>,
}

impl PostgresServer {
    /// Starts a server of our own.
    pub(super) async fn private() -> Result<Self> {
        warn_if_in_memory(&std::env::temp_dir());
        let options = PRIVATE
            .into_iter()
            .fold(PostgresOptions::new(), |options, (name, value)| {
                options.setting(name, value)
            });
        let server = tokio::task::spawn_blocking(move || Postgres::start_with(&options))
            .await?
            .context(
                "starting a private Postgres server; give a URL with --database, or measure on --database sqlite",
            )?;
        let mut started = Self::at(&server.url()).await?;
        started._private = Some(server);
        Ok(started)
    }

    /// Uses somebody's server.
    pub(super) async fn at(url: &str) -> Result<Self> {
        let mut connection = connect(url).await?;
        let mut settings = Map::new();
        for name in REPORTED {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(name)
                .fetch_one(&mut connection)
                .await
                .with_context(|| format!("asking the server for {name}"))?;
            settings.insert(name.to_owned(), value.into());
        }
        connection.close().await.ok();
        Ok(Self {
            url: url.to_owned(),
            created: Vec::new(),
            settings,
            _private: None,
        })
    }

    pub(super) async fn create(&mut self) -> Result<String> {
        let name = format!("outbox_bench_{:016x}", fastrand::u64(..));
        let mut connection = connect(&self.url).await?;
        // The name is ours: letters and digits.
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        match connection.execute(AssertSqlSafe(create)).await {
            Ok(_) => self.created.push(name.clone()),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_RIGHT) => bail!(
                "the user of {} may not create databases, and a benchmark works in one of its own: \
                 run ALTER ROLE … CREATEDB, or use another user",
                without_password(&self.url)
            ),
            Err(error) => return Err(error).context("creating a database to measure in"),
        }
        connection.close().await.ok();
        Ok(with_database(&self.url, &name)?)
    }

    pub(super) fn settings(&self) -> Map<String, Value> {
        self.settings.clone()
    }

    pub(super) async fn clean_up(self) {
        if self._private.is_some() {
            return;
        }
        for name in &self.created {
            let dropped = async {
                let mut connection = connect(&self.url).await?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                connection.execute(AssertSqlSafe(drop)).await?;
                anyhow::Ok(())
            };
            if let Err(error) = dropped.await {
                eprintln!("the database {name} could not be dropped: {error:#}");
            }
        }
    }
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| anyhow!("the URL {} can't be used: {error}", without_password(url)))?;
    Ok(options
        .application_name("outbox-bench")
        .disable_statement_logging())
}

/// Opens a connection outside of any pool.
pub(crate) async fn connect(url: &str) -> Result<PgConnection> {
    PgConnection::connect_with(&options(url)?)
        .await
        .with_context(|| format!("could not connect to {}", without_password(url)))
}

impl Engine for sqlx::Postgres {
    const CLIENTS: u32 = 16;

    async fn pool(url: &str, connections: u32) -> Result<PgPool> {
        PgPoolOptions::new()
            .max_connections(connections)
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE_WITHIN)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options(url)?)
            .await
            .with_context(|| format!("could not connect to {}", without_password(url)))
    }

    async fn make_tables(pool: &PgPool) -> Result<()> {
        pool.execute(TABLES)
            .await
            .map(drop)
            .context("making the benchmark's tables")
    }

    async fn empty(pool: &PgPool) -> Result<()> {
        pool.execute(EMPTY).await.context("emptying the tables")?;
        checkpoint(pool).await
    }

    async fn load(pool: &PgPool, messages: u64, keys: u64) -> Result<()> {
        let mut connection = pool.acquire().await.context("loading a backlog")?;
        Self::load_into(&mut connection, messages, keys).await
    }

    async fn settle_down(pool: &PgPool) -> Result<()> {
        pool.execute("VACUUM (ANALYZE) outbox")
            .await
            .context("vacuuming the outbox")?;
        checkpoint(pool).await
    }

    async fn highest(pool: &PgPool) -> Result<i64> {
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM outbox")
            .fetch_one(pool)
            .await
            .context("asking for the highest id")
    }

    async fn cut(pool: &PgPool, above: i64) -> Result<()> {
        sqlx::query("DELETE FROM outbox WHERE id > $1")
            .bind(above)
            .execute(pool)
            .await
            .context("removing messages")?;
        pool.execute("TRUNCATE bench_order, bench_message")
            .await
            .context("emptying tables")?;
        Self::settle_down(pool).await
    }

    async fn pending(pool: &PgPool) -> Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(pool)
            .await
            .context("counting what is left")
    }

    async fn begin_by_hand(pool: &PgPool) -> sqlx::Result<Transaction<'static, Self>> {
        pool.begin().await
    }

    async fn insert_order(
        tx: &mut Transaction<'static, Self>,
        customer: &str,
        total: i64,
    ) -> sqlx::Result<()> {
        sqlx::query(ORDER)
            .bind(customer)
            .bind(total)
            .bind(ORDER_DETAIL)
            .execute(&mut **tx)
            .await
            .map(drop)
    }

    async fn publish(
        outbox: &Outbox,
        tx: &mut Transaction<'static, Self>,
        message: Message,
    ) -> Result<MessageId, OutboxError> {
        outbox.publish(tx, message).await
    }

    async fn publish_all(
        outbox: &Outbox,
        tx: &mut Transaction<'static, Self>,
        messages: Vec<Message>,
    ) -> Result<(), OutboxError> {
        outbox.publish_all(tx, messages).await.map(drop)
    }

    async fn order_in_scope(
        outbox: &Outbox,
        pool: &PgPool,
        customer: &str,
        total: i64,
        message: Message,
    ) -> Result<Duration> {
        outbox
            .transaction(pool, async |tx| {
                Self::insert_order(tx.as_mut(), customer, total).await?;
                outbox.publish(tx, message).await?;
                Ok(clock::now())
            })
            .await
    }

    async fn relay_store(url: &str) -> Result<Box<dyn RelayStore>> {
        Ok(Box::new(PostgresRelayStore::with_options(options(url)?)))
    }
}

impl Shared for sqlx::Postgres {
    async fn load_into(connection: &mut PgConnection, messages: u64, keys: u64) -> Result<()> {
        let (before, after) = payload_parts();
        sqlx::query(LOAD)
            .bind(i64::try_from(messages)?)
            .bind(i64::try_from(keys)?)
            .bind(TOPIC)
            .bind(before)
            .bind(after)
            .execute(connection)
            .await
            .map(drop)
            .context("loading a backlog")
    }

    async fn shares(pool: &PgPool) -> Result<Shares> {
        sqlx::query_as(SHARES)
            .fetch_one(pool)
            .await
            .context("asking who owns the shards")
    }
}

/// A checkpoint now is none in the middle of what is measured. Only superusers and members of pg_checkpoint may ask
/// for one; without it the server's own fall where they fall.
pub(super) async fn checkpoint(pool: &PgPool) -> Result<()> {
    match pool.execute("CHECKPOINT").await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_RIGHT) => Ok(()),
        Err(error) => Err(error).context("asking for a checkpoint"),
    }
}
