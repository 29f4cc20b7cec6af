//! Where the demo runs: somewhere that is certainly nobody's.

use std::path::PathBuf;

use anyhow::{Context, bail};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};
use tempfile::TempDir;

use crate::audit::Audit;
use crate::database::Database;

/// A place for the demo's data.
pub(super) enum Ground {
    /// A temporary file.
    Temporary { folder: TempDir, url: String },
    /// A schema of its own in somebody's Postgres database.
    Schema {
        server: String,
        schema: String,
        url: String,
    },
    /// A database of its own on somebody's MySQL server.
    Database {
        server: String,
        database: String,
        url: String,
    },
    /// Somebody's SQLite file, which held no orders and no stock.
    File { url: String },
}

impl Ground {
    /// Makes a place: a temporary file, or one where `url` leads.
    pub(super) async fn prepare(url: Option<&str>) -> anyhow::Result<Self> {
        match url {
            None => temporary_file(),
            Some(url) if url.starts_with("postgres") => own_schema(url).await,
            Some(url) if url.starts_with("mysql") || url.starts_with("mariadb") => own_database(url).await,
            Some(url) => empty_file(url).await,
        }
    }

    pub(super) fn url(&self) -> &str {
        match self {
            Self::Temporary { url, .. }
            | Self::Schema { url, .. }
            | Self::Database { url, .. }
            | Self::File { url } => url,
        }
    }

    /// Removes what [`Ground::prepare`] made, and nothing else.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        match self {
            Self::Temporary { folder, .. } => folder.close().context("removing the demo's temporary folder"),
            Self::Schema { server, schema, .. } => {
                let drop = format!("DROP SCHEMA {schema} CASCADE");
                let dropped = execute::<PgConnection>(&server, drop).await;
                dropped.context("removing the demo's schema")
            }
            Self::Database { server, database, .. } => {
                let drop = format!("DROP DATABASE {database}");
                let dropped = execute::<MySqlConnection>(&server, drop).await;
                dropped.context("removing the demo's database")
            }
            Self::File { .. } => Ok(()),
        }
    }

    /// Leaves it as it is, and says where that is.
    pub(super) fn keep(self) -> String {
        match self {
            Self::Temporary { folder, .. } => format!("the demo's data stays in {}", folder.keep().display()),
            Self::Schema { schema, .. } => format!("the demo's data stays in the schema {schema}"),
            Self::Database { database, .. } => format!("the demo's data stays in the database {database}"),
            Self::File { .. } => "the demo's data stays where DATABASE_URL leads".to_owned(),
        }
    }
}

fn temporary_file() -> anyhow::Result<Ground> {
    let folder = TempDir::with_prefix("order-service-demo-").context("making a temporary folder")?;
    let file: PathBuf = folder.path().join("demo.db");
    let url = format!("sqlite://{}", file.display());
    Ok(Ground::Temporary { folder, url })
}

/// Every table is made in the first schema of the search path, so a schema that was not there before keeps all of it
/// apart from whatever else is in the database.
async fn own_schema(server: &str) -> anyhow::Result<Ground> {
    let schema = own_name();
    execute::<PgConnection>(server, format!("CREATE SCHEMA {schema}"))
        .await
        .context("the demo runs in a schema of its own, and can't make one where DATABASE_URL leads")?;
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}options[search_path]={schema}");
    Ok(Ground::Schema {
        server: server.to_owned(),
        schema,
        url,
    })
}

/// MySQL has databases where Postgres has schemas.
async fn own_database(server: &str) -> anyhow::Result<Ground> {
    let database = own_name();
    execute::<MySqlConnection>(server, format!("CREATE DATABASE {database}"))
        .await
        .context("the demo runs in a database of its own, and can't make one where DATABASE_URL leads")?;
    Ok(Ground::Database {
        url: with_database(server, &database),
        server: server.to_owned(),
        database,
    })
}

fn own_name() -> String {
    format!("order_service_demo_{:016x}", fastrand::u64(..))
}

/// The same URL with another path.
fn with_database(url: &str, database: &str) -> String {
    let (before, settings) = url.split_at(url.find('?').unwrap_or(url.len()));
    let host = before.find("://").map_or(0, |scheme| scheme + "://".len());
    let path = before[host..].find('/').map_or(before.len(), |path| host + path);
    format!("{}/{database}{settings}", &before[..path])
}

async fn execute<C>(url: &str, sql: String) -> anyhow::Result<()>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c>,
{
    let mut connection = C::connect(url).await.context("can't connect to DATABASE_URL")?;
    // Safe: the only part that is not a literal is a name made above, of letters and digits.
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.close().await?;
    Ok(())
}

/// SQLite has no schemas, so the file must be as good as new. It is left with the demo's orders in it.
async fn empty_file(url: &str) -> anyhow::Result<Ground> {
    let database = Database::open(url).await?;
    let audit = Audit::of(&database).await?;
    database.close().await;
    if audit.orders != 0 || audit.units != 0 || audit.answered != 0 {
        bail!(
            "the demo needs a database of its own, and DATABASE_URL leads to one with {} orders and {} units of stock: \
             name a file that is not there yet, or leave DATABASE_URL out to use a temporary one",
            audit.orders,
            audit.units
        );
    }
    Ok(Ground::File { url: url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_path_is_another_one() {
        for (url, expected) in [
            (
                "mysql://u:p@h:1/shop?ssl-mode=DISABLED",
                "mysql://u:p@h:1/demo?ssl-mode=DISABLED",
            ),
            ("mysql://h", "mysql://h/demo"),
            ("mysql://h/?socket=/run/s", "mysql://h/demo?socket=/run/s"),
        ] {
            assert_eq!(with_database(url, "demo"), expected);
        }
    }
}
