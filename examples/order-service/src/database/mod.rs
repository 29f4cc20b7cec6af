//! Which database there is, and what the service makes of it. A service of your own has one, and needs one arm of
//! this enum.

mod migrations;
mod mysql;
mod pools;
mod postgres;
mod probe;
mod service_database;
mod sqlite;
mod statements;

use anyhow::bail;
use outbox_core::Publisher;
use outbox_core::relay::{Relay, RelayConfig, RelayConfigError};
use outbox_sqlx::maintenance::Maintenance;
use outbox_sqlx::queue::{QueueError, SqlQueue};
use outbox_sqlx::{MySqlRelayStore, OutboxDatabase, PostgresRelayStore, SqliteRelayStore};
use sqlx::{MySql, Pool, Postgres, Sqlite};

pub use pools::Pools;
pub use service_database::ServiceDatabase;
pub(crate) use statements::statements;

use crate::backend::{Backend, Settings};
use crate::jobs::RETENTION;
use crate::messaging::queue::{self, Queue};

/// An open database whose tables are of this version. Clones share the connections.
#[derive(Debug, Clone)]
pub enum Database {
    /// A MySQL or MariaDB server.
    MySql(Pools<MySql>),
    /// A Postgres server.
    Postgres(Pools<Postgres>),
    /// A SQLite file.
    Sqlite(Pools<Sqlite>),
}

impl Database {
    /// Opens the database at a `postgres://…`, `mysql://…` or `sqlite://…` URL and brings its tables to this version.
    ///
    /// # Errors
    /// The URL can't be used, the database can't be reached, or its tables are not what this version knows. The text
    /// says what to do, and shows nothing of the URL but host, port, database and file.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("mysql" | "mariadb") => Ok(Self::MySql(mysql::open(url).await?)),
            Some("postgres" | "postgresql") => Ok(Self::Postgres(postgres::open(url).await?)),
            Some("sqlite") => Ok(Self::Sqlite(sqlite::open(url).await?)),
            scheme => {
                let scheme = scheme.map_or_else(|| "none".to_owned(), |scheme| format!("{scheme:?}"));
                bail!(
                    "DATABASE_URL must begin with sqlite:, postgres: or mysql:, and its scheme is {scheme}; for example \
                     sqlite://order-service.db or postgres://user:password@localhost/shop"
                )
            }
        }
    }

    /// All modules, living in it.
    ///
    /// # Errors
    /// It can't be read, or a setting can't be.
    pub async fn backend(&self, settings: &Settings) -> anyhow::Result<Backend> {
        match self.clone() {
            Self::MySql(pools) => Backend::new(pools, settings).await,
            Self::Postgres(pools) => Backend::new(pools, settings).await,
            Self::Sqlite(pools) => Backend::new(pools, settings).await,
        }
    }

    /// A relay from its outbox to `publisher`.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn relay(&self, publisher: impl Publisher, config: RelayConfig) -> Result<Relay, RelayConfigError> {
        match self {
            Self::MySql(pools) => Relay::new(MySqlRelayStore::new(&pools.write), publisher, config),
            Self::Postgres(pools) => Relay::new(PostgresRelayStore::new(&pools.write), publisher, config),
            // The pool that writes: on SQLite the pool is the queue of writers, and the relay is one of them.
            Self::Sqlite(pools) => Relay::new(SqliteRelayStore::new(&pools.write), publisher, config),
        }
    }

    /// The retention of its outbox, and of the durable queue.
    pub fn maintenance(&self, queue: &Queue) -> Maintenance {
        fn of<DB: OutboxDatabase>(pool: Pool<DB>, queue: &Queue) -> Maintenance {
            match queue {
                Queue::Database(queue) => Maintenance::with_queue(pool, queue.clone(), RETENTION),
                // What is in memory is let go when it was handled; a broker has a retention of its own.
                Queue::Memory(_) | Queue::Broker(_) => Maintenance::new(pool, RETENTION),
            }
        }
        match self.clone() {
            Self::MySql(pools) => of(pools.write, queue),
            Self::Postgres(pools) => of(pools.write, queue),
            Self::Sqlite(pools) => of(pools.write, queue),
        }
    }

    /// The durable queue in it.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn queue(&self) -> Result<SqlQueue, QueueError> {
        match self.clone() {
            Self::MySql(pools) => queue::durable(pools.write),
            Self::Postgres(pools) => queue::durable(pools.write),
            // It writes, so it queues up with the writers, as the relay does.
            Self::Sqlite(pools) => queue::durable(pools.write),
        }
    }

    /// Closes its connections, when what they do is done.
    pub async fn close(&self) {
        match self {
            Self::MySql(pools) => pools.close().await,
            Self::Postgres(pools) => pools.close().await,
            Self::Sqlite(pools) => pools.close().await,
        }
    }
}
