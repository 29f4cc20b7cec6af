use std::fmt;
use std::future::Future;
use std::ops::DerefMut;
use std::sync::Arc;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Pool, SqlSafeStr};

use crate::database::OutboxDatabase;
use crate::error::OutboxError;
use transaction_scope::sql;

/// Where the migrator keeps its books: not in sqlx's default table, which belongs to the application.
const BOOKS: &str = "_outbox_migrations";

/// The migrator's switch for noting migrations that another tool has run. (`run_direct` is what `run` and
/// `skip` call; those two can't be called with a borrowed connection in a future that is Send.)
const NOTE_ONLY: bool = true;

/// One step of the schema. Never changed once it was released.
struct Step {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// The SQL that a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Postgres 14 or newer.
    #[cfg(feature = "postgres")]
    Postgres,
    /// SQLite 3.37 or newer.
    #[cfg(feature = "sqlite")]
    Sqlite,
    /// MySQL 8.0.17 or newer, MariaDB 10.11 or newer.
    #[cfg(feature = "mysql")]
    MySql,
}

/// Each file of a dialect's folder, in order.
macro_rules! each_step {
    ($folder:literal, $use:ident) => {
        $use!($folder; 1 "outbox", 2 "queue", 3 "confirmation", 4 "half", 5 "dead_letters")
    };
}

/// The steps of one dialect.
macro_rules! steps {
    ($folder:literal; $($version:literal $name:literal),*) => {
        const {
            &[$(Step {
                version: $version,
                name: $name,
                sql: include_str!(concat!("../migrations/", $folder, "/000", $version, "_", $name, ".sql")),
            }),*]
        }
    };
}

/// The same files as one text.
macro_rules! all_steps {
    ($folder:literal; $($version:literal $name:literal),*) => {
        concat!($(
            include_str!(concat!("../migrations/", $folder, "/000", $version, "_", $name, ".sql")),
            "\n"
        ),*)
    };
}

impl Dialect {
    fn steps(self) -> &'static [Step] {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => each_step!("postgres", steps),
            #[cfg(feature = "sqlite")]
            Self::Sqlite => each_step!("sqlite", steps),
            #[cfg(feature = "mysql")]
            Self::MySql => each_step!("mysql", steps),
        }
    }

    /// The newest version that this library knows.
    fn newest(self) -> i64 {
        self.steps().last().map_or(0, |step| step.version)
    }

    fn migrator(self) -> Migrator {
        let migrations = self.steps().iter().map(|step| {
            let sql = step.sql.into_sql_str();
            Migration::new(step.version, step.name.into(), MigrationType::Simple, sql, false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(BOOKS);
        // `migrate` takes a lock of its own, which can't outlive its transaction.
        migrator.set_locking(false);
        migrator
    }

    /// Compares a database's version with this library's.
    fn compare(self, found: i64) -> Result<(), OutboxError> {
        let known = self.newest();
        if found > known {
            return Err(OutboxError::SchemaNewer { found, known });
        }
        if found < known {
            let missing: Vec<_> = self
                .steps()
                .iter()
                .filter(|step| step.version > found)
                .map(|step| format!("{:04}_{}", step.version, step.name))
                .collect();
            return Err(OutboxError::SchemaOlder {
                found,
                needed: known,
                missing: missing.join(", "),
            });
        }
        Ok(())
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "sqlite",
            #[cfg(feature = "mysql")]
            Self::MySql => "mysql",
        })
    }
}

/// The whole schema as SQL, for migration tools that are not this library. The same files are in the
/// folder `migrations/`, one per version.
///
/// MySQL's has procedures, so its command line client needs a delimiter that does not occur in it:
/// `mysql --delimiter=//`.
pub fn schema_sql(dialect: Dialect) -> &'static str {
    match dialect {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => each_step!("postgres", all_steps),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => each_step!("sqlite", all_steps),
        #[cfg(feature = "mysql")]
        Dialect::MySql => each_step!("mysql", all_steps),
    }
}

/// Brings the outbox's tables to this library's version: all missing migrations in one transaction, or
/// nothing. Does nothing when they are there; several processes may do it at once.
///
/// On MySQL and MariaDB each statement that makes a table commits by itself. There every migration may be run
/// again, and what was interrupted is completed by the next call.
///
/// The tables may have been made by another tool from the same SQL files; then that is noted, and only
/// later migrations are run.
///
/// # Errors
/// [`OutboxError::Migration`], [`OutboxError::SchemaNewer`], or the database can't be reached.
pub async fn migrate<DB: OutboxDatabase>(pool: &Pool<DB>) -> Result<(), OutboxError> {
    let mut alone = DB::begin_migration(pool).await?;
    let tables = DB::tables(&mut alone).await?;
    let migrator = DB::DIALECT.migrator();
    if tables.schema {
        let found = DB::version(&mut alone).await?;
        if found > DB::DIALECT.newest() {
            return DB::DIALECT.compare(found);
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

/// Checks that the outbox's tables are here and of this library's version. Call it when a program starts.
///
/// # Errors
/// [`OutboxError::SchemaMissing`], [`OutboxError::SchemaOlder`], [`OutboxError::SchemaNewer`]: each says what
/// to do.
pub async fn check_schema<DB: OutboxDatabase>(pool: &Pool<DB>) -> Result<(), OutboxError> {
    let mut connection = pool
        .acquire()
        .await
        .map_err(OutboxError::database("connecting"))?;
    let tables = DB::tables(&mut connection).await?;
    for (there, table) in [(tables.outbox, "outbox"), (tables.schema, "outbox_schema")] {
        if !there {
            return Err(OutboxError::SchemaMissing { table });
        }
    }
    DB::DIALECT.compare(DB::version(&mut connection).await?)
}

fn migration_failed(error: MigrateError) -> OutboxError {
    OutboxError::Migration {
        source: Arc::new(error),
    }
}

/// Which tables there are.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    outbox: bool,
    schema: bool,
    books: bool,
}

/// What migrating asks of a database.
pub trait SchemaDatabase: sqlx::Database<Connection: Migrate> {
    /// Its SQL.
    const DIALECT: Dialect;

    /// What is held while migrating.
    type Migration: DerefMut<Target = Self::Connection> + Send;

    /// Lets nobody else migrate as long as what it returns is held.
    fn begin_migration(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Self::Migration, OutboxError>> + Send;

    /// Commits what was not committed by itself.
    fn end_migration(alone: Self::Migration) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Looks which tables there are.
    fn tables(connection: &mut Self::Connection) -> impl Future<Output = Result<Tables, OutboxError>> + Send;

    /// The newest migration that was run.
    fn version(connection: &mut Self::Connection) -> impl Future<Output = Result<i64, OutboxError>> + Send;
}

/// The same code for each database, with that database's types and SQL files.
macro_rules! schema_database {
    ($database:ty, $dialect:ident, $folder:literal, { $($alone:tt)* }) => {
        impl SchemaDatabase for $database {
            const DIALECT: Dialect = Dialect::$dialect;

            $($alone)*

            async fn tables(connection: &mut Self::Connection) -> Result<Tables, OutboxError> {
                let (outbox, schema, books) = sqlx::query_as(sql!($folder, "/schema_tables.sql"))
                    .fetch_one(connection)
                    .await
                    .map_err(OutboxError::database("looking for the outbox's tables"))?;
                Ok(Tables {
                    outbox,
                    schema,
                    books,
                })
            }

            async fn version(connection: &mut Self::Connection) -> Result<i64, OutboxError> {
                sqlx::query_scalar(sql!($folder, "/schema_version.sql"))
                    .fetch_one(connection)
                    .await
                    .map_err(OutboxError::database("asking for the outbox's version"))
            }
        }
    };
}

/// Where DDL is part of a transaction, that is what keeps others away and what undoes a failure.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! in_transaction {
    ($database:ty, $dialect:ident, $folder:literal) => {
        schema_database!($database, $dialect, $folder, {
            type Migration = sqlx::Transaction<'static, Self>;

            async fn begin_migration(pool: &Pool<Self>) -> Result<Self::Migration, OutboxError> {
                let mut tx = <Self as transaction_scope::ScopeDatabase>::begin(pool).await?;
                sqlx::query(sql!($folder, "/migrate_lock.sql"))
                    .execute(&mut *tx)
                    .await
                    .map_err(OutboxError::database("waiting for another migration"))?;
                Ok(tx)
            }

            async fn end_migration(alone: Self::Migration) -> Result<(), OutboxError> {
                Ok(<Self as transaction_scope::ScopeDatabase>::commit(alone).await?)
            }
        });
    };
}

#[cfg(feature = "postgres")]
in_transaction!(sqlx::Postgres, Postgres, "postgres");
#[cfg(feature = "sqlite")]
in_transaction!(sqlx::Sqlite, Sqlite, "sqlite");
#[cfg(feature = "mysql")]
schema_database!(sqlx::MySql, MySql, "mysql", {
    type Migration = sqlx::pool::PoolConnection<Self>;

    async fn begin_migration(pool: &Pool<Self>) -> Result<Self::Migration, OutboxError> {
        crate::mysql::migrate_alone(pool).await
    }

    async fn end_migration(alone: Self::Migration) -> Result<(), OutboxError> {
        // The lock is the session's, and closing the session is what gives it back.
        alone
            .close()
            .await
            .map_err(OutboxError::database("ending a migration"))
    }
});
