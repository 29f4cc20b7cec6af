use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Pool;
use tokio::sync::Semaphore;

use super::decisions::Counters;
use super::retention::Retention;
use super::{Idempotency, Inner};
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::ledger::Ledger;
use crate::lock::{KEEP_MAX, LEASE_MAX, Lock};
use crate::schema::check_schema;

/// The shortest setting.
const LEAST: Duration = Duration::from_millis(1);

/// How often a lease is extended, and how many calls to the lock fit into it.
pub(super) const EXTENSIONS_PER_LEASE: u32 = 3;

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) retention: Retention,
    pub(super) lease: Duration,
    pub(super) command_timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) done_ttl: Duration,
    pub(super) trust_marks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            lease: Duration::from_secs(10),
            command_timeout: Duration::from_millis(250),
            lock_timeout: Duration::from_secs(2),
            done_ttl: Duration::from_secs(600),
            trust_marks: true,
        }
    }
}

/// Settings of an [`Idempotency`].
#[must_use = "nothing is built before `build`"]
pub struct IdempotencyBuilder<DB: LedgerDatabase> {
    pool: Pool<DB>,
    lock: Option<Arc<dyn Lock>>,
    settings: Settings,
}

impl<DB: LedgerDatabase> IdempotencyBuilder<DB> {
    pub(super) fn new(pool: Pool<DB>) -> Self {
        Self {
            pool,
            lock: None,
            settings: Settings::default(),
        }
    }

    /// The lock in front of the ledger. Default: none, and every duplicate asks the database.
    pub fn lock(mut self, lock: Arc<dyn Lock>) -> Self {
        self.lock = Some(lock);
        self
    }

    /// How long the ledger remembers. Default: [`Retention::default`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// How long a lock stands unless it is extended, as it is while the work runs; and how long another's lock is waited
    /// for. Default: 10 seconds.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long one call to the lock may take; then it goes on without. Below a third of the lease. Default: 250 ms.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.settings.command_timeout = timeout;
        self
    }

    /// How long a claim waits for another transaction at the same key, as [`Ledger::new`] says. Below the lease. Default: 2
    /// seconds.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout;
        self
    }

    /// How long a done mark stands. Default: 10 minutes. The longer, the more duplicates are found without the database,
    /// and the longer a mark counts that says something untrue: of a database that was restored from a backup.
    pub fn done_ttl(mut self, ttl: Duration) -> Self {
        self.settings.done_ttl = ttl;
        self
    }

    /// Whether a done mark is enough to call something a duplicate. Default: true. If not, none are written or believed,
    /// every duplicate asks the database, and nothing that stands in the lock's store can suppress an effect.
    pub fn trust_marks(mut self, trust: bool) -> Self {
        self.settings.trust_marks = trust;
        self
    }

    /// Looks for the ledger's tables, reads the namespace (makes it, the first time), and checks the settings.
    ///
    /// # Errors
    /// [`IdempotencyError::RetentionTooShort`], [`IdempotencyError::Setting`], [`IdempotencyError::NotBelowLease`];
    /// [`IdempotencyError::SchemaMissing`], [`IdempotencyError::SchemaVersion`]; SQLite:
    /// [`TransactionError::MemoryPool`](transaction_scope::TransactionError::MemoryPool); or the database can't be
    /// reached.
    pub async fn build(self) -> Result<Idempotency<DB>, IdempotencyError> {
        let settings = self.settings;
        settings.check()?;
        DB::check_pool(&self.pool)?;
        check_schema(&self.pool).await?;
        Ok(Idempotency {
            inner: Arc::new(Inner {
                namespace: Ledger::namespace(&self.pool).await?,
                ledger: Ledger::new(settings.retention.keeps(), settings.lock_timeout),
                pool: self.pool,
                lock: self.lock,
                settings,
                decisions: Counters::default(),
                turn: DB::ONE_WRITER.then(|| Arc::new(Semaphore::new(1))),
            }),
        })
    }
}

impl Settings {
    fn check(&self) -> Result<(), IdempotencyError> {
        self.retention.check()?;
        for (name, given, most) in [
            ("lease", self.lease, LEASE_MAX),
            ("command_timeout", self.command_timeout, LEASE_MAX),
            ("lock_timeout", self.lock_timeout, LEASE_MAX),
            ("done_ttl", self.done_ttl, KEEP_MAX.min(self.retention.keeps())),
        ] {
            if given < LEAST || given > most {
                return Err(IdempotencyError::Setting {
                    name,
                    given,
                    least: LEAST,
                    most,
                });
            }
        }
        for (name, given, bound) in [
            // An extension that is not answered leaves time for the next one.
            (
                "command_timeout",
                self.command_timeout,
                self.lease / EXTENSIONS_PER_LEASE,
            ),
            ("lock_timeout", self.lock_timeout, self.lease),
        ] {
            if given >= bound {
                return Err(IdempotencyError::NotBelowLease {
                    name,
                    given,
                    bound,
                    lease: self.lease,
                });
            }
        }
        Ok(())
    }
}

impl<DB: LedgerDatabase> fmt::Debug for IdempotencyBuilder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyBuilder")
            .field("settings", &self.settings)
            .field("has_lock", &self.lock.is_some())
            .finish_non_exhaustive()
    }
}
