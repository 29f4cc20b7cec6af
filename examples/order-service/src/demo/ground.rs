//! Where the demo runs: somewhere that is certainly nobody's.

use std::path::PathBuf;

use anyhow::{Context, bail};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
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
    /// Somebody's SQLite file, which held no orders and no stock.
    File { url: String },
}

impl Ground {
    /// Makes a place: a temporary file, or one where `url` leads.
    pub(super) async fn prepare(url: Option<&str>) -> anyhow::Result<Self> {
        match url {
            None => temporary_file(),
            Some(url) if url.starts_with("postgres") => own_schema(url).await,
            Some(url) => empty_file(url).await,
        }
    }

    pub(super) fn url(&self) -> &str {
        match self {
            Self::Temporary { url, .. } | Self::Schema { url, .. } | Self::File { url } => url,
        }
    }

    /// Removes what [`Ground::prepare`] made, and nothing else.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        match self {
            Self::Temporary { folder, .. } => folder.close().context("removing the demo's temporary folder"),
            Self::Schema { server, schema, .. } => execute(&server, format!("DROP SCHEMA {schema} CASCADE"))
                .await
                .context("removing the demo's schema"),
            Self::File { .. } => Ok(()),
        }
    }

    /// Leaves it as it is, and says where that is.
    pub(super) fn keep(self) -> String {
        match self {
            Self::Temporary { folder, .. } => format!("the demo's data stays in {}", folder.keep().display()),
            Self::Schema { schema, .. } => format!("the demo's data stays in the schema {schema}"),
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
    let schema = format!("order_service_demo_{:016x}", fastrand::u64(..));
    execute(server, format!("CREATE SCHEMA {schema}"))
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

async fn execute(url: &str, sql: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url)
        .await
        .context("can't connect to Postgres")?;
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
    if audit.orders != 0 || audit.on_hand != 0 || audit.answered != 0 {
        bail!(
            "the demo needs a database of its own, and DATABASE_URL leads to one with {} orders and {} units of stock: \
             name a file that is not there yet, or leave DATABASE_URL out to use a temporary one",
            audit.orders,
            audit.on_hand
        );
    }
    Ok(Ground::File { url: url.to_owned() })
}
