//! Opening a MySQL or MariaDB database.

use std::str::FromStr;

use anyhow::{Context, bail};
use sqlx::migrate::MigrateError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sqlx::{MySql, MySqlPool};

use super::migrations::{self, Texts};
use super::pools::Pools;
use super::probe::{ACQUIRE_TIMEOUT, probe};

const MIGRATIONS: Texts = [
    include_str!("../../sql/mysql/migrations/0001_orders.sql"),
    include_str!("../../sql/mysql/migrations/0002_inventory.sql"),
    include_str!("../../sql/mysql/migrations/0003_payment.sql"),
    include_str!("../../sql/mysql/migrations/0004_shipping.sql"),
    include_str!("../../sql/mysql/migrations/0005_loyalty.sql"),
    include_str!("../../sql/mysql/migrations/0006_journal.sql"),
];
const MIGRATE_LOCK: &str = include_str!("../../sql/mysql/migrate_lock.sql");
const MIGRATE_INTERRUPTED: &str = include_str!("../../sql/mysql/migrate_interrupted.sql");
const MIGRATE_FORGET: &str = include_str!("../../sql/mysql/migrate_forget.sql");
const MISSING_TABLES: &str = include_str!("../../sql/mysql/missing_tables.sql");

/// Requests and handlers that write or read at the same time. More wait for their turn, in order.
const CONNECTIONS: u32 = 16;

/// Connects, and brings the tables to this version.
///
/// The sessions stay as the server makes them, REPEATABLE READ: a plain read sees the moment of the transaction's first
/// one. So whatever decides is an UPDATE, an INSERT or a locking read, each of which sees what is committed now.
pub(super) async fn open(url: &str) -> anyhow::Result<Pools<MySql>> {
    let options = MySqlConnectOptions::from_str(url).context(
        "DATABASE_URL is no valid MySQL URL; it looks like mysql://user:password@host:3306/database",
    )?;
    let Some(database) = options.get_database() else {
        bail!("DATABASE_URL names no database; it looks like mysql://user:password@host:3306/database");
    };
    let place = format!(
        "{}:{}, database {database}",
        options.get_host(),
        options.get_port()
    );
    probe::<MySqlConnection>(&options, "MySQL", &place).await?;
    let pool = MySqlPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .context("connecting to MySQL failed")?;
    migrations::run(&pool, migrate(&pool), MISSING_TABLES).await?;
    Ok(Pools::one(pool))
}

/// DDL commits by itself here, so a process that dies while it migrates leaves a part behind, and the migrator's note of
/// it. Ours may be run again, so the note is forgotten; under a lock, because it may also be that somebody is still at it.
async fn migrate(pool: &MySqlPool) -> Result<(), MigrateError> {
    let mut alone = pool.acquire().await?;
    // The lock is the session's: back in the pool it would be kept.
    alone.close_on_drop();
    sqlx::query(MIGRATE_LOCK).execute(&mut *alone).await?;
    let interrupted: bool = sqlx::query_scalar(MIGRATE_INTERRUPTED)
        .fetch_one(&mut *alone)
        .await?;
    if interrupted {
        sqlx::query(MIGRATE_FORGET).execute(&mut *alone).await?;
    }
    let mut migrator = migrations::migrator(MIGRATIONS);
    migrator.set_locking(false);
    migrator.run(&mut *alone).await?;
    Ok(alone.close().await?)
}
