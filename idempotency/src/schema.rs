use std::future::Future;
use std::ops::DerefMut;
use std::sync::Arc;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Pool, SqlSafeStr};
use transaction_scope::sql;

use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;

/// Where the migrator keeps its books: not in sqlx's default table, which belongs to the application.
const BOOKS: &str = "_idempotency_migrations";

/// The migrator's switch for noting migrations that another tool has run. (`run_direct` is what `run` and
/// `skip` call; those two can't be called with a borrowed connection in a future that is Send.)
const NOTE_ONLY: bool = true;

/// The newest version that this library knows; each has a file of its number in the folders of `migrations/`.
const NEWEST: i64 = 1;

fn migrator<DB: LedgerDatabase>() -> Migrator {
    let ledger = Migration::new(
        NEWEST,
        "ledger".into(),
        MigrationType::Simple,
        DB::LEDGER.into_sql_str(),
        false,
    );
    let mut migrator = Migrator::with_migrations(vec![ledger]);
    migrator.dangerous_set_table_name(BOOKS);
    // `migrate` takes a lock of its own, which can't outlive its transaction.
    migrator.set_locking(false);
    migrator
}

/// The whole schema as SQL, for migration tools that are not this library: `schema_sql::<sqlx::Postgres>()`. The same
/// files are in the folder `migrations/`, one per version.
pub fn schema_sql<DB: LedgerDatabase>() -> &'static str {
    DB::LEDGER
}

/// Brings the ledger's tables to this library's version: all missing migrations in one transaction, or nothing. Does
/// nothing when they are there; several processes may do it at once.
///
/// On MySQL and MariaDB each statement that makes a table commits by itself. There every migration may be run
/// again, and what was interrupted is completed by the next call.
///
/// The tables may have been made by another tool from the same SQL files; then that is noted, and only
/// later migrations are run.
///
/// # Errors
/// [`IdempotencyError::Migration`], [`IdempotencyError::SchemaVersion`] of a newer library, or the database can't be
/// reached.
pub async fn migrate<DB: LedgerDatabase>(pool: &Pool<DB>) -> Result<(), IdempotencyError> {
    let mut alone = DB::begin_migration(pool).await?;
    let tables = DB::tables(&mut alone).await?;
    let migrator = migrator::<DB>();
    if tables.schema {
        let found = DB::version(&mut alone).await?;
        if found > NEWEST {
            return Err(IdempotencyError::SchemaVersion {
                found,
                needed: NEWEST,
            });
        }
        if !tables.books {
            migrator
                .run_direct(Some(found), &mut *alone, NOTE_ONLY)
                .await
                .map_err(migration_failed)?;
        }
    }
    migrator
        .run_direct(None, &mut *alone, !NOTE_ONLY)
        .await
        .map_err(migration_failed)?;
    DB::end_migration(alone).await
}

/// Checks that the ledger's tables are here and of this library's version.
/// [`IdempotencyBuilder::build`](crate::IdempotencyBuilder::build) does it too.
///
/// # Errors
/// [`IdempotencyError::SchemaMissing`], [`IdempotencyError::SchemaVersion`]: each says what to do.
pub async fn check_schema<DB: LedgerDatabase>(pool: &Pool<DB>) -> Result<(), IdempotencyError> {
    let mut connection = pool
        .acquire()
        .await
        .map_err(IdempotencyError::database("connecting"))?;
    let tables = DB::tables(&mut connection).await?;
    for (there, table) in [
        (tables.ledger, "idempotency_ledger"),
        (tables.schema, "idempotency_schema"),
    ] {
        if !there {
            return Err(IdempotencyError::SchemaMissing { table });
        }
    }
    match DB::version(&mut connection).await? {
        NEWEST => Ok(()),
        found => Err(IdempotencyError::SchemaVersion {
            found,
            needed: NEWEST,
        }),
    }
}

fn migration_failed(error: MigrateError) -> IdempotencyError {
    IdempotencyError::Migration {
        source: Arc::new(error),
    }
}

/// Which tables there are.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    ledger: bool,
    schema: bool,
    books: bool,
}

/// What migrating asks of a database.
pub trait SchemaDatabase: sqlx::Database<Connection: Migrate> {
    /// The first migration.
    const LEDGER: &'static str;

    /// What is held while migrating.
    type Migration: DerefMut<Target = Self::Connection> + Send;

    /// Lets nobody else migrate as long as what it returns is held.
    fn begin_migration(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Self::Migration, IdempotencyError>> + Send;

    /// Commits what was not committed by itself.
    fn end_migration(alone: Self::Migration) -> impl Future<Output = Result<(), IdempotencyError>> + Send;

    /// Looks which tables there are.
    fn tables(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Tables, IdempotencyError>> + Send;

    /// The newest migration that was run.
    fn version(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<i64, IdempotencyError>> + Send;
}

/// The same code for each database, with that database's types and SQL files.
macro_rules! schema_database {
    ($database:ty, $folder:literal, { $($alone:tt)* }) => {
        impl SchemaDatabase for $database {
            const LEDGER: &'static str = include_str!(concat!("../migrations/", $folder, "/0001_ledger.sql"));

            $($alone)*

            async fn tables(connection: &mut Self::Connection) -> Result<Tables, IdempotencyError> {
                let (ledger, schema, books) = sqlx::query_as(sql!($folder, "/schema_tables.sql"))
                    .fetch_one(connection)
                    .await
                    .map_err(IdempotencyError::database("looking for the ledger's tables"))?;
                Ok(Tables {
                    ledger,
                    schema,
                    books,
                })
            }

            async fn version(connection: &mut Self::Connection) -> Result<i64, IdempotencyError> {
                sqlx::query_scalar(sql!($folder, "/schema_version.sql"))
                    .fetch_one(connection)
                    .await
                    .map_err(IdempotencyError::database("asking for the ledger's version"))
            }
        }
    };
}

/// Where DDL is part of a transaction, that is what keeps others away and what undoes a failure.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! in_transaction {
    ($database:ty, $folder:literal) => {
        schema_database!($database, $folder, {
            type Migration = sqlx::Transaction<'static, Self>;

            async fn begin_migration(pool: &Pool<Self>) -> Result<Self::Migration, IdempotencyError> {
                let mut tx = <Self as transaction_scope::ScopeDatabase>::begin(pool).await?;
                sqlx::query(sql!($folder, "/migrate_lock.sql"))
                    .execute(&mut *tx)
                    .await
                    .map_err(IdempotencyError::database("waiting for another migration"))?;
                Ok(tx)
            }

            async fn end_migration(alone: Self::Migration) -> Result<(), IdempotencyError> {
                Ok(<Self as transaction_scope::ScopeDatabase>::commit(alone).await?)
            }
        });
    };
}

#[cfg(feature = "postgres")]
in_transaction!(sqlx::Postgres, "postgres");
#[cfg(feature = "sqlite")]
in_transaction!(sqlx::Sqlite, "sqlite");
#[cfg(feature = "mysql")]
schema_database!(sqlx::MySql, "mysql", {
    type Migration = sqlx::pool::PoolConnection<Self>;

    async fn begin_migration(pool: &Pool<Self>) -> Result<Self::Migration, IdempotencyError> {
        let mut connection = pool
            .acquire()
            .await
            .map_err(IdempotencyError::database("connecting"))?;
        // The lock is the session's: back in the pool it would be kept.
        connection.close_on_drop();
        let failed = || IdempotencyError::database("waiting for another migration");
        sqlx::query(sql!("mysql/migrate_lock.sql"))
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        let interrupted: bool = sqlx::query_scalar(sql!("mysql/migrate_interrupted.sql"))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed())?;
        if interrupted {
            // DDL commits by itself, so the migrator finds a half-done migration and refuses to go on. Ours may be run
            // again.
            sqlx::query(sql!("mysql/migrate_forget.sql"))
                .execute(&mut *connection)
                .await
                .map_err(failed())?;
        }
        Ok(connection)
    }

    async fn end_migration(alone: Self::Migration) -> Result<(), IdempotencyError> {
        // The lock is the session's, and closing the session is what gives it back.
        alone
            .close()
            .await
            .map_err(IdempotencyError::database("ending a migration"))
    }
});
