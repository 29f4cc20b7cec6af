//! The relay's store on MySQL and MariaDB. In reading order: the store (`mod`), its session (`session`), reading
//! (`fetch`), settling (`settle`), leases and what hangs on a shard (`lease`).

mod fetch;
mod lease;
pub(crate) mod session;
mod settle;

use std::time::Duration;

use outbox_core::relay::FloorRule;
use sqlx::MySql;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};

use super::own::{Own, Target, own_relay_store};
use super::page::TypicalWeight;

/// The outbox of a MySQL or MariaDB database, as a relay sees it.
///
/// It opens one connection of its own and takes none from the application's pool: a pool of a single connection that
/// is busy can't keep the relay waiting. The connection is used by one statement at a time, so any number of relays
/// costs one connection each. Its session is READ COMMITTED, reads without locks, and deletes by primary key:
/// inserts never wait for it.
///
/// Neither server lets an ordinary user see whose transactions are open, so a relay can't know by looking that no
/// message with a lower id can appear any more. It takes the application's word for it: see
/// [`Self::with_max_transaction_age`].
///
/// ```no_run
/// # async fn f(pool: sqlx::MySqlPool) {
/// let store = outbox_sqlx::MySqlRelayStore::new(&pool);
/// # }
/// ```
pub struct MySqlRelayStore {
    own: Own<MySql>,
    typical: TypicalWeight,
    max_transaction_age: Duration,
}

impl MySqlRelayStore {
    /// See [`Self::with_max_transaction_age`].
    pub const MAX_TRANSACTION_AGE: Duration = Duration::from_secs(60);
    /// How long one statement may take before the server ends it (on MySQL only those that read).
    pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
    /// How long one statement may wait for a lock.
    pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long one call may take before the relay gives its connection up. Above the statement's timeout,
    /// because it is for the case in which the server or the network is gone without a word.
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(40);
    /// How long connecting may take.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// A store that connects to where `pool` connects to. The pool's `after_connect` is not run.
    pub fn new(pool: &MySqlPool) -> Self {
        Self::to(Target::LikePool(pool.clone()))
    }

    /// A store that connects with these options.
    pub fn with_options(options: MySqlConnectOptions) -> Self {
        Self::to(Target::Options(Box::new(options)))
    }

    fn to(target: Target<MySql>) -> Self {
        Self {
            own: Own::new(target),
            typical: TypicalWeight::new(),
            max_transaction_age: Self::MAX_TRANSACTION_AGE,
        }
    }

    /// How long a transaction that publishes may stay open. Default: 60 seconds.
    ///
    /// A relay begins each pass over the table where everything older than this was read. A transaction that
    /// commits later than that is not lost: it waits for the next full pass, which comes within
    /// [`RelayConfig::full_pass`](outbox_core::relay::RelayConfig), and is counted in
    /// [`RelayStats::late`](outbox_core::relay::RelayStats). Longer costs reading: a pass walks over whatever
    /// of the last so many seconds was deleted and is not purged yet.
    #[must_use]
    pub fn with_max_transaction_age(mut self, age: Duration) -> Self {
        self.max_transaction_age = age;
        self
    }
}

own_relay_store!(MySqlRelayStore, "mysql", |store| FloorRule::MaxTransactionAge(
    store.max_transaction_age
));
