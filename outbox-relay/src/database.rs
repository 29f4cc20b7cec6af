//! The database with the outbox.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;

/// How long a database may take that is about to start. One that refuses is asked again for so long.
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Which SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Postgres.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// By its name on the command line; any other one is SQLite.
    pub(crate) fn of_name(name: &str) -> Self {
        match name {
            "postgres" => Self::Postgres,
            "mysql" => Self::MySql,
            _ => Self::Sqlite,
        }
    }

    /// Of a database's URL, whose scheme was checked.
    pub fn of_url(url: &str) -> Self {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Self::Postgres,
            Some("mysql" | "mariadb") => Self::MySql,
            _ => Self::Sqlite,
        }
    }

    /// The outbox's tables as SQL.
    pub fn schema(self) -> &'static str {
        outbox_sqlx::schema_sql(match self {
            Self::Postgres => outbox_sqlx::Dialect::Postgres,
            Self::MySql => outbox_sqlx::Dialect::MySql,
            Self::Sqlite => outbox_sqlx::Dialect::Sqlite,
        })
    }
}

/// Makes the outbox's tables, or brings them to this version.
///
/// # Errors
/// The database can't be reached, or its tables can't be brought there.
pub async fn migrate(url: &str) -> Result<()> {
    const CONNECTING: &str = "the database can't be reached";
    match Dialect::of_url(url) {
        Dialect::Postgres => {
            let options = PgPoolOptions::new().max_connections(1);
            let pool = options.acquire_timeout(REACHED_WITHIN).connect(url).await;
            outbox_sqlx::migrate(&pool.context(CONNECTING)?).await?;
        }
        Dialect::MySql => {
            let options = MySqlPoolOptions::new().max_connections(1);
            let pool = options.acquire_timeout(REACHED_WITHIN).connect(url).await;
            outbox_sqlx::migrate(&pool.context(CONNECTING)?).await?;
        }
        Dialect::Sqlite => {
            let pool = outbox_sqlx::sqlite::open(url).await;
            outbox_sqlx::migrate(&pool.context(CONNECTING)?).await?;
        }
    }
    Ok(())
}
