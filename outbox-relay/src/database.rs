//! The database with the outbox.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;

/// How long a database may take that is about to start. One that refuses is asked again for so long.
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Makes the outbox's tables, or brings them to this version.
///
/// # Errors
/// The database can't be reached, or its tables can't be brought there.
pub async fn migrate(url: &str) -> Result<()> {
    const CONNECTING: &str = "the database can't be reached";
    // What else there could be was refused with the configuration.
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => {
            let options = PgPoolOptions::new().max_connections(1);
            let pool = options.acquire_timeout(REACHED_WITHIN).connect(url).await;
            outbox_sqlx::migrate(&pool.context(CONNECTING)?).await?;
        }
        Some("mysql" | "mariadb") => {
            let options = MySqlPoolOptions::new().max_connections(1);
            let pool = options.acquire_timeout(REACHED_WITHIN).connect(url).await;
            outbox_sqlx::migrate(&pool.context(CONNECTING)?).await?;
        }
        _ => {
            let pool = outbox_sqlx::sqlite::open(url).await;
            outbox_sqlx::migrate(&pool.context(CONNECTING)?).await?;
        }
    }
    Ok(())
}
