//! The relay's store on SQLite. In reading order: the pool and the trait (`mod`), reading (`fetch`), settling
//! (`settle`), leases and what hangs on a shard (`lease`).

mod fetch;
mod lease;
mod settle;

use std::collections::HashSet;
use std::time::SystemTime;

use async_trait::async_trait;
use outbox_core::Shard;
use outbox_core::relay::{
    Awaiting, Failure, Fetch, FloorRule, Holds, LeaseGrant, LeaseRequest, Page, ParkedRow, RelayStore,
    ShardSet, StoreError,
};
use sqlx::Row as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqlitePool};

use super::error::Trouble;
use super::page::TypicalWeight;

const CHECK: &str = include_str!("../../../sql/sqlite/relay_check.sql");
const CHECK_VERSION: &str = include_str!("../../../sql/sqlite/relay_check_version.sql");

/// A transaction that writes takes the write lock first: one that reads and then writes is refused at once when
/// another has written meanwhile.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The outbox of a SQLite database, as a relay sees it.
///
/// It shares the application's pool and takes a connection for each call only, so that it queues fairly with the
/// application's own writers and a pool of one connection works. One process relays a SQLite database: times
/// are by this process's clock.
///
/// ```no_run
/// # async fn f(pool: sqlx::SqlitePool) {
/// let store = outbox_sqlx::SqliteRelayStore::new(&pool);
/// # }
/// ```
#[derive(Debug)]
pub struct SqliteRelayStore {
    pool: SqlitePool,
    typical: TypicalWeight,
}

impl SqliteRelayStore {
    /// A store that shares this pool.
    pub fn new(pool: &SqlitePool) -> Self {
        Self {
            pool: pool.clone(),
            typical: TypicalWeight::new(),
        }
    }

    async fn connection(&self) -> Result<PoolConnection<Sqlite>, Trouble> {
        Ok(self.pool.acquire().await?)
    }

    async fn check(&self) -> Result<(), Trouble> {
        let mut connection = self.connection().await?;
        let row = sqlx::query(CHECK).fetch_one(&mut *connection).await?;
        let in_memory: bool = row.try_get(1)?;
        let connections = self.pool.options().get_max_connections();
        if in_memory && connections > 1 {
            return Err(Trouble::Unusable(format!(
                "the database is in memory and its pool may open {connections} connections, which would not \
                 see the same data or lock each other out; give the pool max_connections(1), or use a file"
            )));
        }
        if !row.try_get::<bool, _>(0)? {
            return Err(Trouble::not_installed("sqlite"));
        }
        let version = sqlx::query_scalar(CHECK_VERSION)
            .fetch_one(&mut *connection)
            .await?;
        Trouble::check_version(version, "sqlite")
    }
}

/// This process's clock: microseconds since the Unix epoch.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[async_trait]
impl RelayStore for SqliteRelayStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn floor_rule(&self) -> FloorRule {
        FloorRule::SingleWriter
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        Ok(self.check().await?)
    }

    async fn lease(&mut self, request: &LeaseRequest) -> Result<LeaseGrant, StoreError> {
        let mut connection = self.connection().await?;
        Ok(lease::lease(&mut connection, request).await?)
    }

    async fn leave(&mut self, relay: &str) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        Ok(lease::leave(&mut connection, relay).await?)
    }

    async fn fetch(&mut self, fetch: &Fetch) -> Result<Page, StoreError> {
        let mut connection = self.connection().await?;
        Ok(fetch::fetch(&mut connection, fetch, &mut self.typical).await?)
    }

    /// One writer at a time: no lower id can appear, so nothing needs to be left to a later pass.
    async fn horizon(&mut self) -> Result<i64, StoreError> {
        Ok(i64::MAX)
    }

    async fn writers(&mut self) -> Result<HashSet<String>, StoreError> {
        Ok(HashSet::new())
    }

    async fn holds(&mut self, relay: &str, shards: ShardSet, limit: usize) -> Result<Holds, StoreError> {
        let mut connection = self.connection().await?;
        Ok(lease::holds(&mut connection, relay, shards, limit).await?)
    }

    async fn clear_rewinds(&mut self, relay: &str, rewinds: &[(Shard, i64)]) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        Ok(lease::clear_rewinds(&mut connection, relay, rewinds).await?)
    }

    async fn delivered(&mut self, ids: &[i64], archive: bool) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        Ok(settle::delivered(&mut connection, ids, archive).await?)
    }

    async fn awaiting(&mut self, rows: &[Awaiting], archive: bool) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        Ok(settle::awaiting(&mut connection, rows, archive).await?)
    }

    async fn failed(&mut self, relay: &str, failures: &[Failure]) -> Result<HashSet<i64>, StoreError> {
        let mut connection = self.connection().await?;
        Ok(settle::failed(&mut connection, relay, failures).await?)
    }

    async fn move_parked(&mut self, relay: &str, rows: &[ParkedRow]) -> Result<HashSet<i64>, StoreError> {
        let mut connection = self.connection().await?;
        Ok(settle::move_parked(&mut connection, relay, rows).await?)
    }
}
