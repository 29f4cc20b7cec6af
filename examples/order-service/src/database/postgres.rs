//! Opening a Postgres database.

use std::str::FromStr;

use anyhow::Context;
use sqlx::Postgres;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

use super::migrations::{self, Texts};
use super::pools::Pools;
use super::probe::{ACQUIRE_TIMEOUT, probe};

const MIGRATIONS: Texts = [
    include_str!("../../sql/postgres/migrations/0001_orders.sql"),
    include_str!("../../sql/postgres/migrations/0002_inventory.sql"),
    include_str!("../../sql/postgres/migrations/0003_payment.sql"),
    include_str!("../../sql/postgres/migrations/0004_shipping.sql"),
    include_str!("../../sql/postgres/migrations/0005_loyalty.sql"),
    include_str!("../../sql/postgres/migrations/0006_journal.sql"),
];
const MISSING_TABLES: &str = include_str!("../../sql/postgres/missing_tables.sql");

/// Requests and handlers that write or read at the same time. More wait for their turn, in order.
const CONNECTIONS: u32 = 16;

/// Connects, and brings the tables to this version.
pub(super) async fn open(url: &str) -> anyhow::Result<Pools<Postgres>> {
    let options = PgConnectOptions::from_str(url)
        .context("DATABASE_URL is no valid Postgres URL; it looks like postgres://user:password@host:5432/database")?
        .application_name("order-service");
    let place = format!(
        "{}:{}, database {}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or("(the user's own)")
    );
    probe::<PgConnection>(&options, "Postgres", &place).await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .context("connecting to Postgres failed")?;
    migrations::run(&pool, migrations::migrator(MIGRATIONS).run(&pool), MISSING_TABLES).await?;
    Ok(Pools::one(pool))
}
