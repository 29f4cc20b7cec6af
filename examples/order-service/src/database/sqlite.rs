//! Opening a SQLite database.

use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::migrations;

const MIGRATIONS: [&str; 2] = [
    include_str!("../../sql/sqlite/migrations/0001_orders.sql"),
    include_str!("../../sql/sqlite/migrations/0002_inventory.sql"),
];
const MISSING_TABLES: &str = include_str!("../../sql/sqlite/missing_tables.sql");

/// Reads at the same time.
const READERS: u32 = 4;
/// How long a write or a read waits for its turn at most.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections to a SQLite file. It has one writer at a time, so there is one connection that writes: those who
/// want it queue up in the pool, in order, instead of all knocking at the file's lock. Readers never wait for it (WAL).
#[derive(Debug, Clone)]
pub struct SqlitePools {
    /// For every transaction that writes, the relay's too.
    pub write: SqlitePool,
    /// For what only reads.
    pub read: SqlitePool,
}

impl SqlitePools {
    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Opens the file, makes it if it is missing, and brings the tables to this version.
pub(super) async fn open(url: &str) -> anyhow::Result<SqlitePools> {
    let options = outbox_sqlx::sqlite::connect_options(url)
        .context("DATABASE_URL is no valid SQLite URL; it looks like sqlite://folder/file.db")?;
    let file = options.get_filename().display().to_string();
    if file.is_empty() || file.contains(":memory:") || file.starts_with("file:") {
        bail!("DATABASE_URL leads to a SQLite database in memory, which ends with the process: name a file");
    }
    let pool = |size| {
        SqlitePoolOptions::new()
            .max_connections(size)
            .acquire_timeout(ACQUIRE_TIMEOUT)
    };
    let cant_open =
        || format!("can't open the SQLite file {file}; is its folder there, and may it be written to?");
    let write = pool(1)
        .connect_with(options.clone())
        .await
        .with_context(cant_open)?;
    outbox_sqlx::migrate(&write)
        .await
        .context("the outbox's tables are not usable")?;
    outbox_sqlx::check_schema(&write)
        .await
        .context("the outbox's tables are not usable")?;
    migrations::migrator(MIGRATIONS)
        .run(&write)
        .await
        .map_err(migrations::explain)?;
    check_tables(&write).await?;
    let read = pool(READERS)
        .connect_with(read_only(options))
        .await
        .with_context(cant_open)?;
    Ok(SqlitePools { write, read })
}

/// A statement that writes is refused on these connections: it belongs into the queue of writers.
fn read_only(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.create_if_missing(false).pragma("query_only", "on")
}

/// Tables that were dropped by hand stay "migrated": better found now than by the first order.
async fn check_tables(pool: &SqlitePool) -> anyhow::Result<()> {
    let missing: Option<String> = sqlx::query_scalar(MISSING_TABLES).fetch_one(pool).await?;
    match missing {
        None => Ok(()),
        Some(tables) => bail!(migrations::missing(&tables)),
    }
}
