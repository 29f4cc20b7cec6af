//! The service's own tables. Those of the outbox have migrations of their own (`outbox_sqlx::migrate`), under another
//! name, so that the two never meet.

use anyhow::{Error, anyhow};
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

/// Where sqlx notes which migrations were run. Not its default: that one belongs to whoever shares the database.
pub(super) const TABLE: &str = "_order_service_migrations";

/// What each version adds. A version is never changed once it was released.
const NAMES: [&str; 2] = ["orders", "inventory"];

/// The migrations with these texts, in the order of their versions.
pub(super) fn migrator(texts: [&'static str; NAMES.len()]) -> Migrator {
    let migrations = (1..).zip(NAMES).zip(texts).map(|((version, name), sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// What a failed migration means, and what to do.
pub(super) fn explain(error: MigrateError) -> Error {
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
pub(super) fn missing(tables: &str) -> String {
    format!(
        "these tables are missing, though their migrations were run: {tables}. They were dropped, or the search path \
         or DATABASE_URL leads elsewhere. Restore them from a backup; or, if nothing is to be kept, drop the other \
         tables of the service and {TABLE} too, and start it again"
    )
}
