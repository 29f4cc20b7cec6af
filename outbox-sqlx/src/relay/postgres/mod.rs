//! The relay's store on Postgres. In reading order: the connection and the trait (`mod`), its session
//! (`session`), reading (`fetch`), settling (`settle`), leases and what hangs on a shard (`lease`), and the
//! optional listener (`wake`).

mod fetch;
mod lease;
pub(crate) mod session;
mod settle;
mod wake;

use std::time::Duration;

use outbox_core::relay::FloorRule;
use sqlx::Postgres;
use sqlx::postgres::{PgConnectOptions, PgPool};

use super::own::{Own, Target, own_relay_store};
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
    own: Own<Postgres>,
    typical: TypicalWeight,
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

    fn to(target: Target<Postgres>) -> Self {
        Self {
            own: Own::new(target),
            typical: TypicalWeight::new(),
        }
    }
}

own_relay_store!(PostgresRelayStore, "postgres", |_store| FloorRule::Writers);
