use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use outbox_core::relay::RelayStore;
use outbox_core::{Message, MessageId, Shard};
use outbox_sqlx::{Outbox, OutboxError, SqliteRelayStore};
use outbox_test_harness::Scratch;
use serde_json::{Map, Value};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Executor, Transaction};

use super::engine::{Engine, ORDER_DETAIL};
use crate::{clock, content};

const TABLES: &str = include_str!("../../sql/sqlite/tables.sql");
const EMPTY: &str = include_str!("../../sql/sqlite/empty.sql");
const LOAD: &str = include_str!("../../sql/sqlite/load.sql");
const ORDER: &str = include_str!("../../sql/sqlite/order.sql");

const ACQUIRE_WITHIN: Duration = Duration::from_secs(60);

/// Where database files are made.
#[derive(Debug)]
pub(crate) struct SqliteFolder {
    /// The first file; further ones get a number.
    path: PathBuf,
    made: Vec<PathBuf>,
    /// Removed with the value.
    _temporary: Option<Scratch>,
}

impl SqliteFolder {
    pub(super) fn temporary() -> Result<Self> {
        let folder = Scratch::new().context("making a folder for the database")?;
        warn_if_in_memory(folder.path());
        Ok(Self {
            path: folder.path().join("bench.db"),
            made: Vec::new(),
            _temporary: Some(folder),
        })
    }

    pub(super) fn at(path: &Path) -> Result<Self> {
        if path.exists() {
            bail!(
                "{} exists; a benchmark empties tables, so it works in a new file only",
                path.display()
            );
        }
        // A bare file name has the empty path as its parent: the current folder.
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            bail!("the folder {} does not exist", folder.display());
        }
        Ok(Self {
            path: path.to_owned(),
            made: Vec::new(),
            _temporary: None,
        })
    }

    pub(super) fn create(&mut self) -> Result<String> {
        let mut path = self.path.clone().into_os_string();
        if !self.made.is_empty() {
            path.push(format!("-{}", self.made.len() + 1));
        }
        let path = PathBuf::from(path);
        if path.exists() {
            bail!("{} exists", path.display());
        }
        let text = path.to_str().context("the file's path is no UTF-8")?;
        let url = format!("sqlite://{text}");
        self.made.push(path);
        Ok(url)
    }

    pub(super) fn settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        settings.insert("journal_mode".into(), "wal".into());
        settings.insert("synchronous".into(), "full".into());
        settings
    }

    pub(super) fn clean_up(self) {
        for path in &self.made {
            for suffix in ["", "-wal", "-shm"] {
                let mut file = path.clone().into_os_string();
                file.push(suffix);
                // What is not there need not be removed.
                let _ = fs::remove_file(file);
            }
        }
    }
}

/// Memory pretends to be a very fast disk.
pub(super) fn warn_if_in_memory(folder: &Path) {
    if statfs(folder).is_ok_and(|about| about.filesystem_type() == TMPFS_MAGIC) {
        eprintln!(
            "warning: {} is kept in memory: commits look faster than on any disk (set TMPDIR to another folder)",
            folder.display()
        );
    }
}

async fn open(url: &str, connections: u32, test: bool) -> Result<SqlitePool> {
    let options = outbox_sqlx::sqlite::connect_options(url)?.disable_statement_logging();
    SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(test)
        .acquire_timeout(ACQUIRE_WITHIN)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .with_context(|| format!("could not open {url}"))
}

impl Engine for sqlx::Sqlite {
    /// It has one writer at a time: more clients only measure how they wait for each other.
    const CLIENTS: u32 = 1;

    async fn pool(url: &str, connections: u32) -> Result<SqlitePool> {
        open(url, connections, false).await
    }

    async fn make_tables(pool: &SqlitePool) -> Result<()> {
        pool.execute(TABLES)
            .await
            .map(drop)
            .context("making the benchmark's tables")
    }

    async fn empty(pool: &SqlitePool) -> Result<()> {
        pool.execute(EMPTY).await.context("emptying the tables")?;
        checkpoint(pool).await
    }

    async fn load(pool: &SqlitePool, messages: u64, keys: u64) -> Result<()> {
        let id = MessageId::new();
        let mut tx = Self::begin_by_hand(pool).await?;
        for n in 1..=messages {
            let key = content::key(n % keys);
            sqlx::query(LOAD)
                .bind(MessageId::new().0)
                .bind(Shard::of(content::TOPIC, Some(&key), id).number())
                .bind(content::TOPIC)
                .bind(key)
                .bind(&content::payload(n)[..])
                .execute(&mut *tx)
                .await
                .context("loading a backlog")?;
        }
        tx.commit().await.context("loading a backlog")
    }

    async fn settle_down(pool: &SqlitePool) -> Result<()> {
        checkpoint(pool).await
    }

    async fn highest(pool: &SqlitePool) -> Result<i64> {
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM outbox")
            .fetch_one(pool)
            .await
            .context("asking for the highest id")
    }

    async fn cut(pool: &SqlitePool, above: i64) -> Result<()> {
        sqlx::query("DELETE FROM outbox WHERE id > ?")
            .bind(above)
            .execute(pool)
            .await
            .context("removing messages")?;
        pool.execute("DELETE FROM bench_order; DELETE FROM bench_message")
            .await
            .context("emptying tables")?;
        checkpoint(pool).await
    }

    async fn pending(pool: &SqlitePool) -> Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(pool)
            .await
            .context("counting what is left")
    }

    async fn begin_by_hand(pool: &SqlitePool) -> sqlx::Result<Transaction<'static, Self>> {
        pool.begin_with("BEGIN IMMEDIATE").await
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
        pool: &SqlitePool,
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

    /// A pool as `outbox_sqlx::sqlite::open` makes it for an application.
    async fn relay_store(url: &str) -> Result<Box<dyn RelayStore>> {
        /// One for the relay, and one so that it need not wait for whoever looks at the tables.
        const CONNECTIONS: u32 = 2;
        Ok(Box::new(SqliteRelayStore::new(
            &open(url, CONNECTIONS, true).await?,
        )))
    }
}

pub(super) async fn checkpoint(pool: &SqlitePool) -> Result<()> {
    pool.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        .await
        .map(drop)
        .context("writing the log back into the database")
}
