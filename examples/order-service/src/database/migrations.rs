//! The service's own tables. Those of the framework have migrations of their own (`outbox_sqlx::migrate`,
//! `idempotency::migrate`), under other names, so that they never meet.

use anyhow::{Context, Error, anyhow, bail};
use idempotency::LedgerDatabase;
use outbox_sqlx::OutboxDatabase;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Executor, FromRow, IntoArguments, Pool, SqlSafeStr};

/// Where sqlx notes which migrations were run. Not its default: that one belongs to whoever shares the database.
const TABLE: &str = "_order_service_migrations";

/// What each version adds. A version is never changed once it was released.
const NAMES: [&str; 6] = ["orders", "inventory", "payment", "shipping", "loyalty", "journal"];

/// The migrations of one database.
pub(super) type Texts = [&'static str; NAMES.len()];

/// Brings the framework's tables to this version, then by `own` the service's, and looks whether all are there: tables that
/// were dropped by hand stay "migrated", and are better missed now than by the first order.
pub(super) async fn run<DB>(
    pool: &Pool<DB>,
    own: impl Future<Output = Result<(), MigrateError>>,
    missing_tables: &'static str,
) -> anyhow::Result<()>
where
    DB: OutboxDatabase + LedgerDatabase,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> (Option<String>,): FromRow<'r, DB::Row>,
{
    outbox_sqlx::migrate(pool)
        .await
        .context("the outbox's tables are not usable")?;
    outbox_sqlx::check_schema(pool)
        .await
        .context("the outbox's tables are not usable")?;
    idempotency::migrate(pool)
        .await
        .context("the ledger's tables are not usable")?;
    own.await.map_err(explain)?;
    let missing: (Option<String>,) = sqlx::query_as(missing_tables).fetch_one(pool).await?;
    match missing {
        (None,) => Ok(()),
        (Some(tables),) => bail!(missing_text(&tables)),
    }
}

/// The migrations with these texts, in the order of their versions.
pub(super) fn migrator(texts: Texts) -> Migrator {
    let migrations = (1..).zip(NAMES).zip(texts).map(|((version, name), sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// What a failed migration means, and what to do.
fn explain(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => anyhow!(
            "the database is newer than this program: it has migration {version} of the order service, and this \
             program knows those up to {}. Start a newer version of the program, or use another database",
            NAMES.len()
        ),
        MigrateError::VersionMismatch(version) => anyhow!(
            "migration {version} of the order service was changed after it was run on this database. Undo the change; \
             what has to be different comes in a migration of its own"
        ),
        error => Error::new(error).context("migrating the order service's tables failed"),
    }
}

/// What to say about tables that are not there though their migration was run.
fn missing_text(tables: &str) -> String {
    format!(
        "these tables are missing, though their migrations were run: {tables}. They were dropped, or the search path \
         or DATABASE_URL leads elsewhere. Restore them from a backup; or, if nothing is to be kept, drop the other \
         tables of the service and {TABLE} too, and start it again"
    )
}
