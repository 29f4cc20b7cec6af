use std::fmt;
use std::future::Future;
use std::sync::Arc;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Pool, SqlSafeStr};

use crate::database::OutboxDatabase;
use crate::error::OutboxError;
use crate::sql::sql;

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
}

impl Dialect {
    fn steps(self) -> &'static [Step] {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                const {
                    &[
                        Step {
                            version: 1,
                            name: "outbox",
                            sql: include_str!("../migrations/postgres/0001_outbox.sql"),
                        },
                        Step {
                            version: 2,
                            name: "queue",
                            sql: include_str!("../migrations/postgres/0002_queue.sql"),
                        },
                    ]
                }
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                const {
                    &[
                        Step {
                            version: 1,
                            name: "outbox",
                            sql: include_str!("../migrations/sqlite/0001_outbox.sql"),
                        },
                        Step {
                            version: 2,
                            name: "queue",
                            sql: include_str!("../migrations/sqlite/0002_queue.sql"),
                        },
                    ]
                }
            }
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
        })
    }
}

/// The whole schema as SQL, for migration tools that are not this library. The same files are in the
/// folder `migrations/`, one per version.
pub fn schema_sql(dialect: Dialect) -> &'static str {
    match dialect {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => concat!(
            include_str!("../migrations/postgres/0001_outbox.sql"),
            "\n",
            include_str!("../migrations/postgres/0002_queue.sql")
        ),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => concat!(
            include_str!("../migrations/sqlite/0001_outbox.sql"),
            "\n",
            include_str!("../migrations/sqlite/0002_queue.sql")
        ),
    }
}

/// Brings the outbox's tables to this library's version: all missing migrations in one transaction, or
/// nothing. Does nothing when they are there; several processes may do it at once.
///
/// The tables may have been made by another tool from the same SQL files; then that is noted, and only
/// later migrations are run.
///
/// # Errors
/// [`OutboxError::Migration`], [`OutboxError::SchemaNewer`], or the database can't be reached.
pub async fn migrate<DB: OutboxDatabase>(pool: &Pool<DB>) -> Result<(), OutboxError> {
    let mut tx = DB::begin(pool).await?;
    DB::lock_schema(&mut tx).await?;
    let tables = DB::tables(&mut tx).await?;
    let migrator = DB::DIALECT.migrator();
    if tables.schema {
        let found = DB::version(&mut tx).await?;
        if found > DB::DIALECT.newest() {
            return DB::DIALECT.compare(found);
        }
        if !tables.books {
            migrator
                .run_direct(Some(found), &mut *tx, NOTE_ONLY)
                .await
                .map_err(migration_failed)?;
        }
    }
    migrator
        .run_direct(None, &mut *tx, !NOTE_ONLY)
        .await
        .map_err(migration_failed)?;
    DB::commit(tx).await
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

    /// Lets nobody else migrate until the transaction ends.
    fn lock_schema(connection: &mut Self::Connection)
    -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Looks which tables there are.
    fn tables(connection: &mut Self::Connection) -> impl Future<Output = Result<Tables, OutboxError>> + Send;

    /// The newest migration that was run.
    fn version(connection: &mut Self::Connection) -> impl Future<Output = Result<i64, OutboxError>> + Send;
}

/// The same code for each database, with that database's types and SQL files.
macro_rules! schema_database {
    ($database:ty, $dialect:ident, $folder:literal) => {
        impl SchemaDatabase for $database {
            const DIALECT: Dialect = Dialect::$dialect;

            async fn lock_schema(connection: &mut Self::Connection) -> Result<(), OutboxError> {
                sqlx::query(sql!($folder, "/migrate_lock.sql"))
                    .execute(connection)
                    .await
                    .map(drop)
                    .map_err(OutboxError::database("waiting for another migration"))
            }

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

#[cfg(feature = "postgres")]
schema_database!(sqlx::Postgres, Postgres, "postgres");
#[cfg(feature = "sqlite")]
schema_database!(sqlx::Sqlite, Sqlite, "sqlite");
