use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use outbox_core::relay::RelayStore;
use outbox_core::{Message, MessageId, Shard};
use outbox_sqlx::{MySqlRelayStore, Outbox, OutboxError};
use outbox_test_harness::mysql::{with_database, without_password};
use outbox_test_harness::{Mysql, MysqlBinaries, MysqlFlavour, MysqlOptions};
use serde_json::{Map, Value};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, MySql, Row, Transaction};

use super::engine::{Engine, ORDER_DETAIL, Shared, Shares};
use super::rows::{ROWS_MAX, many};
use super::sqlite::warn_if_in_memory;
use crate::clock;
use crate::content::{self, TOPIC};

const TABLES: &str = include_str!("../../sql/mysql/tables.sql");
const EMPTY: &str = include_str!("../../sql/mysql/empty.sql");
const LOAD: &str = include_str!("../../sql/mysql/load.sql");
const SETTLE: &str = include_str!("../../sql/mysql/settle.sql");
const PURGE_LAG: &str = include_str!("../../sql/mysql/purge_lag.sql");
const ORDER: &str = include_str!("../../sql/mysql/order.sql");
const SHARES: &str = include_str!("../../sql/mysql/shares.sql");

/// What a private server has beside the server's defaults: room for the data, and a redo log that doesn't get full in one
/// round and not in the other. With a default of about 100 MB it does within seconds, and everybody waits for pages to be
/// written.
/// And the list of what is to be purged is cut at once, so that its length tells what is left.
const PRIVATE: [(&str, &str); 3] = [
    ("max_connections", "200"),
    ("innodb_buffer_pool_size", "1G"),
    ("loose_innodb_purge_rseg_truncate_frequency", "1"),
];
/// The size of the redo log has a name on each server.
const MARIADB_REDO_LOG: (&str, &str) = ("innodb_log_file_size", "2G");
const MYSQL_REDO_LOG: (&str, &str) = ("innodb_redo_log_capacity", "2G");

/// What is reported of the server, because figures depend on it. Each server has those that it knows.
const REPORTED: [&str; 10] = [
    "version",
    "innodb_flush_log_at_trx_commit",
    "log_bin",
    "sync_binlog",
    "innodb_flush_method",
    "innodb_doublewrite",
    "innodb_buffer_pool_size",
    "innodb_log_file_size",
    "innodb_redo_log_capacity",
    "max_connections",
];

/// How long a client waits for a connection of its pool.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(60);
/// How long a database's tables may be in use when it is dropped.
const DROP_WITHIN_SECONDS: u32 = 10;

static LOAD_MANY: LazyLock<Vec<String>> = LazyLock::new(|| many(LOAD));

/// Fewer transactions than this leave little to be purged.
const PURGED: i64 = 10;
/// Purging runs in the background and can't be asked for. When it hasn't got on for so long, there is nothing more that it
/// may purge, or the list is not cut at once on this server.
const NO_PROGRESS: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// `ER_DBACCESS_DENIED_ERROR`, `ER_TABLEACCESS_DENIED_ERROR`, `ER_SPECIFIC_ACCESS_DENIED_ERROR`
const NO_RIGHT: [u16; 3] = [1044, 1142, 1227];

/// A server, and the databases that were created on it.
#[derive(Debug)]
pub(crate) struct MysqlServer {
    /// A database to create others from.
    url: String,
    created: Vec<String>,
    settings: Map<String, Value>,
    /// Stopped with the value.
    _private: Option<Mysql>,
}

impl MysqlServer {
    /// Starts a server of our own, whichever of the two is installed.
    pub(super) async fn private() -> Result<Self> {
        warn_if_in_memory(&std::env::temp_dir());
        let server = tokio::task::spawn_blocking(start).await?.context(
            "starting a private MySQL or MariaDB server; give a URL with --database, or measure on --database sqlite",
        )?;
        let mut started = Self::at(&server.url()).await?;
        started._private = Some(server);
        Ok(started)
    }

    /// Uses somebody's server.
    pub(super) async fn at(url: &str) -> Result<Self> {
        let mut connection = connect(url).await?;
        let mut settings = Map::new();
        let all = sqlx::query("SHOW GLOBAL VARIABLES")
            .fetch_all(&mut connection)
            .await
            .context("asking the server for its settings")?;
        for row in &all {
            let (name, value): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            if REPORTED.contains(&&*name) {
                settings.insert(name, value.into());
            }
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
        let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
        match connection.execute(AssertSqlSafe(create)).await {
            Ok(_) => self.created.push(name.clone()),
            Err(error) if has_no_right(&error) => bail!(
                "the user of {} may not create databases, and a benchmark works in one of its own: \
                 run GRANT ALL ON `outbox\\_bench\\_%`.* TO …, or use another user",
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
                let drop = format!(
                    "SET SESSION lock_wait_timeout = {DROP_WITHIN_SECONDS}; DROP DATABASE IF EXISTS {name}"
                );
                connection.execute(AssertSqlSafe(drop)).await?;
                anyhow::Ok(())
            };
            if let Err(error) = dropped.await {
                eprintln!("the database {name} could not be dropped: {error:#}");
            }
        }
    }
}

fn start() -> Result<Mysql> {
    let redo_log = match MysqlBinaries::find()?.flavour() {
        MysqlFlavour::MariaDb => MARIADB_REDO_LOG,
        _ => MYSQL_REDO_LOG,
    };
    let options = PRIVATE
        .into_iter()
        .chain([redo_log])
        .fold(MysqlOptions::new(), |options, (name, value)| {
            options.setting(name, value)
        });
    Ok(Mysql::start_with(&options)?)
}

fn has_no_right(error: &sqlx::Error) -> bool {
    let number = match error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<MySqlDatabaseError>(),
        _ => None,
    };
    number.is_some_and(|error| NO_RIGHT.contains(&error.number()))
}

fn options(url: &str) -> Result<MySqlConnectOptions> {
    let options = MySqlConnectOptions::from_str(url)
        .map_err(|error| anyhow!("the URL {} can't be used: {error}", without_password(url)))?;
    Ok(options.disable_statement_logging())
}

/// Opens a connection outside of any pool.
pub(crate) async fn connect(url: &str) -> Result<MySqlConnection> {
    MySqlConnection::connect_with(&options(url)?)
        .await
        .with_context(|| format!("could not connect to {}", without_password(url)))
}

impl Engine for MySql {
    const CLIENTS: u32 = 16;

    async fn pool(url: &str, connections: u32) -> Result<MySqlPool> {
        MySqlPoolOptions::new()
            .max_connections(connections)
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE_WITHIN)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options(url)?)
            .await
            .with_context(|| format!("could not connect to {}", without_password(url)))
    }

    async fn make_tables(pool: &MySqlPool) -> Result<()> {
        pool.execute(TABLES)
            .await
            .map(drop)
            .context("making the benchmark's tables")
    }

    async fn empty(pool: &MySqlPool) -> Result<()> {
        pool.execute(EMPTY).await.context("emptying the tables")?;
        purged(pool).await
    }

    async fn load(pool: &MySqlPool, messages: u64, keys: u64) -> Result<()> {
        let mut tx = Self::begin_by_hand(pool).await.context("loading a backlog")?;
        Self::load_into(&mut tx, messages, keys).await?;
        tx.commit().await.context("loading a backlog")
    }

    async fn settle_down(pool: &MySqlPool) -> Result<()> {
        write_out(pool, SETTLE).await
    }

    async fn highest(pool: &MySqlPool) -> Result<i64> {
        sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM outbox")
            .fetch_one(pool)
            .await
            .context("asking for the highest id")
    }

    async fn cut(pool: &MySqlPool, above: i64) -> Result<()> {
        sqlx::query("DELETE FROM outbox WHERE id > ?")
            .bind(above)
            .execute(pool)
            .await
            .context("removing messages")?;
        pool.execute("TRUNCATE bench_order; TRUNCATE bench_message; TRUNCATE bench_message_due")
            .await
            .context("emptying tables")?;
        Self::settle_down(pool).await
    }

    async fn pending(pool: &MySqlPool) -> Result<i64> {
        sqlx::query_scalar("SELECT COUNT(*) FROM outbox")
            .fetch_one(pool)
            .await
            .context("counting what is left")
    }

    async fn begin_by_hand(pool: &MySqlPool) -> sqlx::Result<Transaction<'static, Self>> {
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
        pool: &MySqlPool,
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
        Ok(Box::new(MySqlRelayStore::with_options(options(url)?)))
    }
}

impl Shared for MySql {
    async fn load_into(connection: &mut MySqlConnection, messages: u64, keys: u64) -> Result<()> {
        let (statements, id): (&'static Vec<String>, _) = (&LOAD_MANY, MessageId::new());
        let mut numbers = 1..=messages;
        loop {
            let part: Vec<u64> = numbers.by_ref().take(ROWS_MAX).collect();
            if part.is_empty() {
                return Ok(());
            }
            let mut query = sqlx::query(statements[part.len()].as_str());
            for n in part {
                let key = content::key(n % keys);
                query = query
                    .bind(MessageId::new().0)
                    .bind(Shard::of(TOPIC, Some(&key), id).number())
                    .bind(TOPIC)
                    .bind(key)
                    .bind(content::payload(n).to_vec());
            }
            query
                .execute(&mut *connection)
                .await
                .context("loading a backlog")?;
        }
    }

    async fn shares(pool: &MySqlPool) -> Result<Shares> {
        sqlx::query_as(SHARES)
            .fetch_one(pool)
            .await
            .context("asking who owns the shards")
    }
}

/// Waits until all is purged, and lets the server write tables to disk. Only users with some more privileges may ask for
/// that; without them it writes when it likes.
pub(super) async fn write_out(pool: &MySqlPool, statement: &'static str) -> Result<()> {
    purged(pool).await?;
    match pool.execute(statement).await {
        Ok(_) => Ok(()),
        Err(error) if has_no_right(&error) => Ok(()),
        Err(error) => Err(error).context("writing tables to disk"),
    }
}

/// Waits until what was deleted before is purged, so that it isn't while something is measured. Only users with the
/// privilege PROCESS can see it; without it purging falls where it falls.
async fn purged(pool: &MySqlPool) -> Result<()> {
    let (mut least, mut least_at) = (i64::MAX, clock::now());
    loop {
        let lag: i64 = match sqlx::query_scalar(PURGE_LAG).fetch_one(pool).await {
            Ok(lag) => lag,
            Err(error) if has_no_right(&error) => return Ok(()),
            Err(error) => return Err(error).context("asking for what is not purged yet"),
        };
        if lag < least {
            (least, least_at) = (lag, clock::now());
        }
        if lag < PURGED || clock::now() > least_at + NO_PROGRESS {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
