//! Opening a SQLite database.

use anyhow::{Context, bail};
use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::migrations::{self, Texts};
use super::pools::Pools;
use super::probe::ACQUIRE_TIMEOUT;

const MIGRATIONS: Texts = [
    include_str!("../../sql/sqlite/migrations/0001_orders.sql"),
    include_str!("../../sql/sqlite/migrations/0002_inventory.sql"),
    include_str!("../../sql/sqlite/migrations/0003_payment.sql"),
    include_str!("../../sql/sqlite/migrations/0004_shipping.sql"),
    include_str!("../../sql/sqlite/migrations/0005_loyalty.sql"),
    include_str!("../../sql/sqlite/migrations/0006_journal.sql"),
];
const MISSING_TABLES: &str = include_str!("../../sql/sqlite/missing_tables.sql");

/// Reads at the same time.
const READERS: u32 = 4;

/// Opens the file, makes it if it is missing, and brings the tables to this version.
///
/// The file has one writer at a time, so there is one connection that writes: those who want it queue up in the pool, in
/// order, instead of all knocking at the file's lock. Readers never wait for it (WAL).
pub(super) async fn open(url: &str) -> anyhow::Result<Pools<Sqlite>> {
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
    migrations::run(
        &write,
        migrations::migrator(MIGRATIONS).run(&write),
        MISSING_TABLES,
    )
    .await?;
    let read = pool(READERS)
        .connect_with(read_only(options))
        .await
        .with_context(cant_open)?;
    Ok(Pools { write, read })
}

/// A statement that writes is refused on these connections: it belongs into the queue of writers.
fn read_only(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.create_if_missing(false).pragma("query_only", "on")
}
