//! Opening a Postgres database.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::migrations;

const MIGRATIONS: [&str; 2] = [
    include_str!("../../sql/postgres/migrations/0001_orders.sql"),
    include_str!("../../sql/postgres/migrations/0002_inventory.sql"),
];
const MISSING_TABLES: &str = include_str!("../../sql/postgres/missing_tables.sql");

/// Requests and handlers that write or read at the same time. More wait for their turn, in order.
const CONNECTIONS: u32 = 16;
/// How long they wait at most.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects, and brings the tables to this version.
pub(super) async fn open(url: &str) -> anyhow::Result<PgPool> {
    let options = PgConnectOptions::from_str(url)
        .context("DATABASE_URL is no valid Postgres URL; it looks like postgres://user:password@host:5432/database")?
        .application_name("order-service");
    probe(&options).await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .context("connecting to Postgres failed")?;
    outbox_sqlx::migrate(&pool)
        .await
        .context("the outbox's tables are not usable")?;
    outbox_sqlx::check_schema(&pool)
        .await
        .context("the outbox's tables are not usable")?;
    migrations::migrator(MIGRATIONS)
        .run(&pool)
        .await
        .map_err(migrations::explain)?;
    check_tables(&pool).await?;
    Ok(pool)
}

/// One attempt to connect, for its error: a pool would try again until its timeout, and then know only that.
async fn probe(options: &PgConnectOptions) -> anyhow::Result<()> {
    let place = || {
        let database = options.get_database().unwrap_or("(the user's own)");
        format!(
            "{}:{}, database {database}",
            options.get_host(),
            options.get_port()
        )
    };
    let connecting = PgConnection::connect_with(options);
    match tokio::time::timeout(ACQUIRE_TIMEOUT, connecting).await {
        Ok(connected) => {
            let connection = connected.with_context(|| {
                format!(
                    "can't connect to Postgres at {}; is it running, and is DATABASE_URL right?",
                    place()
                )
            })?;
            connection.close().await.context("connecting to Postgres failed")
        }
        Err(_) => bail!(
            "Postgres at {} did not answer within {ACQUIRE_TIMEOUT:?}",
            place()
        ),
    }
}

/// Tables that were dropped by hand stay "migrated": better found now than by the first order.
async fn check_tables(pool: &PgPool) -> anyhow::Result<()> {
    let missing: Option<String> = sqlx::query_scalar(MISSING_TABLES).fetch_one(pool).await?;
    match missing {
        None => Ok(()),
        Some(tables) => bail!(migrations::missing(&tables)),
    }
}
