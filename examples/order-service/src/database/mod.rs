//! Which database there is, and what the service makes of it. A service of your own has one, and needs one arm of
//! this enum.

mod migrations;
mod postgres;
mod sqlite;

use std::sync::Arc;

use anyhow::bail;
use outbox_core::Publisher;
use outbox_core::relay::{Relay, RelayConfig, RelayConfigError};
use outbox_sqlx::maintenance::Maintenance;
use outbox_sqlx::queue::{QueueError, SqlQueue};
use outbox_sqlx::{Outbox, PostgresRelayStore, SqliteRelayStore};
use sqlx::PgPool;

pub use sqlite::SqlitePools;

use crate::inventory::{InventoryStore, PostgresInventory, SqliteInventory};
use crate::maintenance::RETENTION;
use crate::orders::{OrderStore, PostgresOrders, SqliteOrders};
use crate::queue::{self, Queue};

/// An open database whose tables are of this version. Clones share the connections.
#[derive(Debug, Clone)]
pub enum Database {
    /// A Postgres server.
    Postgres(PgPool),
    /// A SQLite file.
    Sqlite(SqlitePools),
}

impl Database {
    /// Opens the database at a `postgres://…` or `sqlite://…` URL and brings its tables to this version.
    ///
    /// # Errors
    /// The URL can't be used, the database can't be reached, or its tables are not what this version knows. The text
    /// says what to do, and shows nothing of the URL but host, port, database and file.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres(postgres::open(url).await?)),
            Some("sqlite") => Ok(Self::Sqlite(sqlite::open(url).await?)),
            scheme => {
                let scheme = scheme.map_or_else(|| "none".to_owned(), |scheme| format!("{scheme:?}"));
                bail!(
                    "DATABASE_URL must begin with sqlite: or postgres:, and its scheme is {scheme}; for example \
                     sqlite://order-service.db or postgres://user:password@localhost/shop"
                )
            }
        }
    }

    /// The orders in it.
    pub fn orders(&self, outbox: &Outbox) -> Arc<dyn OrderStore> {
        match self.clone() {
            Self::Postgres(pool) => Arc::new(PostgresOrders::new(pool, outbox.clone())),
            Self::Sqlite(pools) => Arc::new(SqliteOrders::new(pools, outbox.clone())),
        }
    }

    /// The inventory in it.
    pub fn inventory(&self, outbox: &Outbox) -> Arc<dyn InventoryStore> {
        match self.clone() {
            Self::Postgres(pool) => Arc::new(PostgresInventory::new(pool, outbox.clone())),
            Self::Sqlite(pools) => Arc::new(SqliteInventory::new(pools, outbox.clone())),
        }
    }

    /// A relay from its outbox to `publisher`.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn relay(&self, publisher: impl Publisher, config: RelayConfig) -> Result<Relay, RelayConfigError> {
        match self {
            Self::Postgres(pool) => Relay::new(PostgresRelayStore::new(pool), publisher, config),
            // The pool that writes: on SQLite the pool is the queue of writers, and the relay is one of them.
            Self::Sqlite(pools) => Relay::new(SqliteRelayStore::new(&pools.write), publisher, config),
        }
    }

    /// The retention of its outbox, and of the durable queue.
    pub fn maintenance(&self, queue: &Queue) -> Maintenance {
        match (self.clone(), queue) {
            (Self::Postgres(pool), Queue::Database(queue)) => {
                Maintenance::with_queue(pool, queue.clone(), RETENTION)
            }
            (Self::Sqlite(pools), Queue::Database(queue)) => {
                Maintenance::with_queue(pools.write, queue.clone(), RETENTION)
            }
            // What is in memory is let go when it was handled.
            (Self::Postgres(pool), Queue::Memory(_)) => Maintenance::new(pool, RETENTION),
            (Self::Sqlite(pools), Queue::Memory(_)) => Maintenance::new(pools.write, RETENTION),
        }
    }

    /// The durable queue in it.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn queue(&self) -> Result<SqlQueue, QueueError> {
        match self.clone() {
            Self::Postgres(pool) => queue::durable(pool),
            // It writes, so it queues up with the writers, as the relay does.
            Self::Sqlite(pools) => queue::durable(pools.write),
        }
    }

    /// Closes its connections, when what they do is done.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(pools) => pools.close().await,
        }
    }
}
