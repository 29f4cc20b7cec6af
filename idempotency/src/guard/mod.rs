//! The guard: lock, claim, work, commit, mark.

mod begin;
mod config;
mod decisions;
mod error;
mod held;
mod lock;
#[cfg(feature = "consumer")]
mod lock_many;
mod operation;
mod outcome;
mod retention;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Pool;
use tokio::sync::Semaphore;
use transaction_scope::ScopedTransaction;
use uuid::Uuid;

use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::ledger::Ledger;
use crate::lock::Lock;
pub(crate) use begin::Begun;
#[cfg(feature = "consumer")]
pub(crate) use begin::{Asked, Claimed, First};
pub use config::IdempotencyBuilder;
use config::Settings;
use decisions::Counters;
pub(crate) use decisions::Decision;
pub use decisions::Decisions;
pub use error::RunError;
pub(crate) use lock::Locked;
pub use operation::Operation;
pub use outcome::{Duplicate, Outcome, StoredOutcome};
pub use retention::Retention;

/// Does each thing once, however often it is asked for. Clones are handles of the same guard.
///
/// What happens, in order: the lock is asked, and a done mark is enough for an answer without the database; a transaction
/// begins, and its first statement claims the key in the ledger; the work is done in that same transaction; it is
/// committed; then the mark is written. The ledger's unique index decides. The lock only spares it most duplicates, so a
/// guard without one, or whose lock is away, gives the same outcomes.
///
/// SQLite has one writer: tasks that use the same guard take turns, first come first served. So the work must not ask the
/// same guard for something else, which would wait for its own turn; it is [`RunError::Busy`] then, after some seconds.
pub struct Idempotency<DB: LedgerDatabase> {
    inner: Arc<Inner<DB>>,
}

struct Inner<DB: LedgerDatabase> {
    pool: Pool<DB>,
    ledger: Ledger<DB>,
    lock: Option<Arc<dyn Lock>>,
    namespace: Uuid,
    settings: Settings,
    decisions: Counters,
    // Where one transaction writes at a time, those who want to stand in line here: the database's own waiting is by
    // chance, and lets some starve.
    turn: Option<Arc<Semaphore>>,
}

impl<DB: LedgerDatabase> Idempotency<DB> {
    /// A guard whose ledger is in this database, which must be that of the effects.
    pub fn builder(pool: Pool<DB>) -> IdempotencyBuilder<DB> {
        IdempotencyBuilder::new(pool)
    }

    /// Does `work` unless it was done under this scope and key. The scope says who asks (a consumer group, a caller); keys
    /// of two scopes are never the same. At most [`SCOPE_BYTES`](crate::SCOPE_BYTES) and
    /// [`KEY_BYTES`](crate::KEY_BYTES) long.
    ///
    /// `work` gets the transaction in which the key is claimed: what it writes there is committed with the claim, or
    /// neither is. It may be dropped at any await, like this future.
    ///
    /// # Errors
    /// [`RunError::Work`] is what `work` returned; then nothing is stored, and the next one is the first.
    /// [`RunError::Busy`]: another is at it. [`RunError::Transaction`] of a
    /// [`CommitUnknown`](transaction_scope::TransactionError::CommitUnknown): ask again with the same key to learn whether
    /// it was committed.
    pub async fn run<T, E, W>(&self, scope: &str, key: &str, work: W) -> Result<Outcome<T>, RunError<E>>
    where
        W: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
    {
        self.operation(scope, key).run(work).await
    }

    /// As [`Idempotency::run`]; what `work` returns is kept with the claim, as JSON, and duplicates get it again. So a
    /// duplicate always asks the database.
    ///
    /// # Errors
    /// As [`Idempotency::run`]; and [`RunError::Refused`] when the answer can't be kept or read.
    pub async fn run_stored<T, E, W>(
        &self,
        scope: &str,
        key: &str,
        work: W,
    ) -> Result<StoredOutcome<T>, RunError<E>>
    where
        W: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
        T: Serialize + DeserializeOwned,
    {
        self.operation(scope, key).run_stored(work).await
    }

    /// The same with more to say about it: [`Operation::fingerprint`].
    pub fn operation<'a>(&'a self, scope: &'a str, key: &'a str) -> Operation<'a, DB> {
        Operation::new(self, scope, key)
    }

    /// What was decided since the guard was built.
    pub fn decisions(&self) -> Decisions {
        self.inner.decisions.snapshot()
    }

    /// The ledger, for transactions that are somebody else's.
    pub fn ledger(&self) -> &Ledger<DB> {
        &self.inner.ledger
    }

    /// What the keys of this database's locks and marks begin with.
    pub fn namespace(&self) -> Uuid {
        self.inner.namespace
    }

    /// How long the ledger remembers, and what that was compared with.
    pub fn retention(&self) -> Retention {
        self.inner.settings.retention
    }

    /// Removes expired rows: see [`Ledger::expire`]. To be called now and then, by any process.
    ///
    /// # Errors
    /// As [`Ledger::expire`].
    pub async fn expire(&self, batches: u32) -> Result<u64, IdempotencyError> {
        let _turn = self.turn().await?;
        Ledger::expire(&self.inner.pool, batches).await
    }

    pub(crate) fn count(&self, decision: Decision) {
        self.inner.decisions.count(decision);
    }

    #[cfg(feature = "consumer")]
    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.inner.pool
    }
}

impl<DB: LedgerDatabase> Clone for Idempotency<DB> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<DB: LedgerDatabase> fmt::Debug for Idempotency<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("namespace", &self.inner.namespace)
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
