//! The relay's store on Postgres. In reading order: the connection and the trait (`mod`), its session
//! (`session`), reading (`fetch`), settling (`settle`), leases and what hangs on a shard (`lease`), and the
//! optional listener (`wake`).

mod fetch;
mod lease;
pub(crate) mod session;
mod settle;
mod wake;

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::Shard;
use outbox_core::relay::{
    Failure, Fetch, FloorRule, Holds, LeaseGrant, LeaseRequest, Page, ParkedRow, RelayStore, ShardSet,
    StoreError,
};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};

use super::error::Trouble;
use super::page::TypicalWeight;

pub use wake::PostgresWakeListener;

/// The outbox of a Postgres database, as a relay sees it.
///
/// It opens one connection of its own, named `outbox-relay`, and takes none from the application's pool: a pool
/// of a single connection that is busy can't keep the relay waiting. The connection is used by one statement at
/// a time, so any number of relays costs one connection each.
///
/// The session commits asynchronously where that can only lead to a second delivery (settling what was
/// delivered), and synchronously where a loss would break a promise (leases, failures, parked keys). It needs a
/// session: behind a pooler such as PgBouncer, the pooler has to be in session mode.
///
/// ```no_run
/// # async fn f(pool: sqlx::PgPool) {
/// let store = outbox_sqlx::PostgresRelayStore::new(&pool);
/// # }
/// ```
pub struct PostgresRelayStore {
    target: Target,
    /// `None` before `open` and after an error.
    connection: Option<PgConnection>,
    typical: TypicalWeight,
}

/// Where to connect to.
enum Target {
    /// As this pool does at the moment, so that a rotated password is known here as well.
    LikePool(PgPool),
    Options(Box<PgConnectOptions>),
}

impl PostgresRelayStore {
    /// How long one statement may take before the server ends it.
    pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
    /// How long one statement may wait for a lock.
    pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long one call may take before the relay gives its connection up. Above the statement's timeout,
    /// because it is for the case in which the server or the network is gone without a word.
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(40);
    /// How long connecting may take.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// A store that connects to where `pool` connects to. The pool's `after_connect` is not run.
    pub fn new(pool: &PgPool) -> Self {
        Self::to(Target::LikePool(pool.clone()))
    }

    /// A store that connects with these options, but for the application's name.
    pub fn with_options(options: PgConnectOptions) -> Self {
        Self::to(Target::Options(Box::new(options)))
    }

    fn to(target: Target) -> Self {
        Self {
            target,
            connection: None,
            typical: TypicalWeight::new(),
        }
    }

    /// The connection, taken out: it comes back by [`Self::keep`] when a call went well, and is closed when
    /// one did not, or was dropped half-way.
    fn take(&mut self) -> Result<PgConnection, StoreError> {
        self.connection.take().ok_or_else(|| Trouble::NotOpen.into())
    }

    fn keep<T>(&mut self, connection: PgConnection, answer: Result<T, Trouble>) -> Result<T, StoreError> {
        let answer = answer?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// Ends a call whose answer doesn't come.
async fn bounded<T>(limit: Duration, call: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or(Err(Trouble::TimedOut(limit)))
}

/// Connect options may hold a password.
impl fmt::Debug for PostgresRelayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresRelayStore")
            .field("open", &self.connection.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RelayStore for PostgresRelayStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn floor_rule(&self) -> FloorRule {
        FloorRule::Writers
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        let options = match &self.target {
            Target::LikePool(pool) => pool.connect_options().as_ref().clone(),
            Target::Options(options) => options.as_ref().clone(),
        };
        let opened = bounded(Self::CONNECT_TIMEOUT, session::open(options)).await;
        self.connection = Some(opened?);
        Ok(())
    }

    async fn lease(&mut self, request: &LeaseRequest) -> Result<LeaseGrant, StoreError> {
        let mut connection = self.take()?;
        let answer = bounded(Self::CALL_TIMEOUT, lease::lease(&mut connection, request)).await;
        self.keep(connection, answer)
    }

    async fn leave(&mut self, relay: &str) -> Result<(), StoreError> {
        let mut connection = self.take()?;
        let answer = bounded(Self::CALL_TIMEOUT, lease::leave(&mut connection, relay)).await;
        self.keep(connection, answer)
    }

    async fn fetch(&mut self, fetch: &Fetch) -> Result<Page, StoreError> {
        let mut connection = self.take()?;
        let call = fetch::fetch(&mut connection, fetch, &mut self.typical);
        let answer = bounded(Self::CALL_TIMEOUT, call).await;
        self.keep(connection, answer)
    }

    async fn horizon(&mut self) -> Result<i64, StoreError> {
        let mut connection = self.take()?;
        let answer = bounded(Self::CALL_TIMEOUT, fetch::horizon(&mut connection)).await;
        self.keep(connection, answer)
    }

    async fn writers(&mut self) -> Result<HashSet<String>, StoreError> {
        let mut connection = self.take()?;
        let answer = bounded(Self::CALL_TIMEOUT, fetch::writers(&mut connection)).await;
        self.keep(connection, answer)
    }

    async fn holds(&mut self, relay: &str, shards: ShardSet, limit: usize) -> Result<Holds, StoreError> {
        let mut connection = self.take()?;
        let call = lease::holds(&mut connection, relay, shards, limit);
        let answer = bounded(Self::CALL_TIMEOUT, call).await;
        self.keep(connection, answer)
    }

    async fn clear_rewinds(&mut self, relay: &str, rewinds: &[(Shard, i64)]) -> Result<(), StoreError> {
        let mut connection = self.take()?;
        let call = lease::clear_rewinds(&mut connection, relay, rewinds);
        let answer = bounded(Self::CALL_TIMEOUT, call).await;
        self.keep(connection, answer)
    }

    async fn delivered(&mut self, ids: &[i64], archive: bool) -> Result<(), StoreError> {
        let mut connection = self.take()?;
        let call = settle::delivered(&mut connection, ids, archive);
        let answer = bounded(Self::CALL_TIMEOUT, call).await;
        self.keep(connection, answer)
    }

    async fn failed(&mut self, relay: &str, failures: &[Failure]) -> Result<HashSet<i64>, StoreError> {
        let mut connection = self.take()?;
        let call = settle::failed(&mut connection, relay, failures);
        let answer = bounded(Self::CALL_TIMEOUT, call).await;
        self.keep(connection, answer)
    }

    async fn move_parked(&mut self, relay: &str, rows: &[ParkedRow]) -> Result<HashSet<i64>, StoreError> {
        let mut connection = self.take()?;
        let call = settle::move_parked(&mut connection, relay, rows);
        let answer = bounded(Self::CALL_TIMEOUT, call).await;
        self.keep(connection, answer)
    }
}
