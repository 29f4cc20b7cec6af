//! The ledger: one row per scope and key, in the transaction of what was done under that key.

mod claim;
mod expire;
mod fingerprint;
#[cfg(feature = "mysql")]
mod mysql;
pub(crate) mod name;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;

use std::fmt;
use std::time::Duration;

use sqlx::{Pool, Transaction};
use transaction_scope::{Attempt, TransactionError};
use uuid::Uuid;

use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
pub(crate) use claim::ClaimedMany;
pub use expire::EXPIRE_BATCH;
pub use fingerprint::Fingerprint;
use name::Name;
pub use name::{KEY_BYTES, SCOPE_BYTES};
pub(crate) use statements::LedgerStatements;
use statements::{ClaimTexts, NewRow};

/// How much longer than its retention a row is kept: what is too old for the ledger is told by clocks of other machines,
/// which may be wrong by so much.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(3_600);

/// The longest answer that is kept for duplicates, in bytes.
pub const ANSWER_BYTES: usize = 1024 * 1024;

/// What was done before: one row per scope and key, written in the transaction of what was done.
///
/// [`Idempotency`](crate::Idempotency) is what most use. This is for transactions that are somebody else's:
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::time::Duration;
/// use idempotency::{Claim, IdempotencyError, Ledger};
///
/// # let pool = transaction_scope::sqlite::open("sqlite::memory:").await?;
/// # idempotency::migrate(&pool).await?;
/// let ledger = Ledger::new(Duration::from_secs(30 * 86_400), Duration::from_secs(2));
/// transaction_scope::scope(&pool, async |tx| {
///     match ledger.claim(tx.as_mut(), "billing", "order-7", None).await? {
///         Claim::First => { /* the work, in this transaction */ }
///         Claim::Duplicate(_) => { /* it is done */ }
///         Claim::Conflict | Claim::Busy => { /* this transaction can't commit */ }
///     }
///     Ok::<_, IdempotencyError>(())
/// })
/// .await?;
/// # Ok::<(), IdempotencyError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Ledger<DB: LedgerDatabase> {
    keep: i64,
    texts: ClaimTexts,
    database: std::marker::PhantomData<fn() -> DB>,
}

/// What a claim came to.
#[derive(Debug)]
#[must_use = "only the first may do the work"]
pub enum Claim {
    /// Nobody has done it; this transaction does.
    First,
    /// It is done, and committed. On MySQL and MariaDB commit before you tell anybody: they show a row before it has
    /// reached the disk, and this transaction's commit waits until it has.
    Duplicate(Stored),
    /// It was done with another fingerprint. The transaction must not be committed, and a
    /// [`scope`](transaction_scope::scope()) around it does not.
    Conflict,
    /// Another transaction is at it and did not end within the lock timeout. The transaction must not be committed, and a
    /// [`scope`](transaction_scope::scope()) around it does not.
    Busy,
}

/// What is kept for duplicates.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    answer: Option<Vec<u8>>,
}

impl Stored {
    pub(crate) fn new(answer: Option<Vec<u8>>) -> Self {
        Self { answer }
    }

    /// The bytes that were kept; `None` where none were.
    pub fn answer(&self) -> Option<&[u8]> {
        self.answer.as_deref()
    }
}

/// An answer may be nobody else's business.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("answer_bytes", &self.answer.as_ref().map(Vec::len))
            .finish()
    }
}

impl<DB: LedgerDatabase> Ledger<DB> {
    /// A ledger that remembers for `retention` (and an hour more, [`CLOCKS_DIFFER`]), and whose claims wait for other
    /// transactions at most `lock_timeout`.
    ///
    /// MariaDB counts in seconds and rounds up. MySQL has no timeout of a single statement, and waits as long as the
    /// session's `innodb_lock_wait_timeout` says; SQLite, as long as the connection's busy timeout.
    pub fn new(retention: Duration, lock_timeout: Duration) -> Self {
        /// A thousand years: the latest that every database can add to now.
        const KEEP_MAX: i64 = 1_000 * 365 * 86_400 * 1_000_000;
        let keep = retention.saturating_add(CLOCKS_DIFFER).as_micros();
        Self {
            keep: i64::try_from(keep).unwrap_or(KEEP_MAX).min(KEEP_MAX),
            texts: DB::texts(lock_timeout),
            database: std::marker::PhantomData,
        }
    }

    /// Claims a key in this transaction, as its first statement if that is possible: what was locked before it may make
    /// deadlocks. Inserts first, and reads only what was in its way. Waits while another transaction is at the same key.
    ///
    /// A row that has expired counts as not there, and is taken over. What follows the claim waits for locks as long as
    /// it would have without it.
    ///
    /// # Errors
    /// [`IdempotencyError::Name`], or the database refused. The transaction must not be committed then, and a
    /// [`scope`](transaction_scope::scope()) around it does not.
    pub async fn claim(
        &self,
        tx: &mut Transaction<'_, DB>,
        scope: &str,
        key: &str,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Claim, IdempotencyError> {
        let attempt = Attempt::start();
        let claimed = async {
            let name = Name::new(scope, key)?;
            // On some databases what is written in a transaction that was given up commits on its own.
            DB::check_open(tx).await?;
            self.claim_open(tx, name, fingerprint).await
        };
        let claimed = attempt.finish(claimed.await.and_then(|claim| match claim {
            Claim::Busy => Err(IdempotencyError::Busy),
            Claim::Conflict => Err(IdempotencyError::Conflict),
            claim => Ok(claim),
        }));
        match claimed {
            Err(IdempotencyError::Busy) => Ok(Claim::Busy),
            Err(IdempotencyError::Conflict) => Ok(Claim::Conflict),
            claimed => claimed,
        }
    }

    /// Keeps what is answered to duplicates of a key that this transaction has claimed.
    ///
    /// # Errors
    /// [`IdempotencyError::AnswerTooLong`], [`IdempotencyError::Name`], or the database refused. The transaction must not
    /// be committed then, and a [`scope`](transaction_scope::scope()) around it does not.
    pub async fn keep_answer(
        &self,
        tx: &mut Transaction<'_, DB>,
        scope: &str,
        key: &str,
        answer: &[u8],
    ) -> Result<(), IdempotencyError> {
        let attempt = Attempt::start();
        let kept = async {
            let name = Name::new(scope, key)?;
            if answer.len() > ANSWER_BYTES {
                return Err(IdempotencyError::AnswerTooLong {
                    bytes: answer.len(),
                    max: ANSWER_BYTES,
                });
            }
            DB::check_open(tx).await?;
            DB::keep_answer(tx, name, answer)
                .await
                .map_err(IdempotencyError::database("keeping an answer"))
        };
        attempt.finish(kept.await)
    }

    pub(crate) async fn begin(&self, pool: &Pool<DB>) -> Result<Transaction<'static, DB>, TransactionError> {
        DB::begin(pool).await
    }

    /// The random id that the lock's keys begin with; made by whoever asks first.
    pub(crate) async fn namespace(pool: &Pool<DB>) -> Result<Uuid, IdempotencyError> {
        let failed = || IdempotencyError::database("reading the namespace");
        let mut connection = pool.acquire().await.map_err(failed())?;
        if let Some(namespace) = DB::namespace(&mut connection).await.map_err(failed())? {
            return Ok(namespace);
        }
        DB::make_namespace(&mut connection, Uuid::new_v4())
            .await
            .map_err(failed())?;
        let made = DB::namespace(&mut connection).await.map_err(failed())?;
        made.ok_or(IdempotencyError::SchemaMissing {
            table: "idempotency_namespace",
        })
    }
}

impl<DB: LedgerDatabase> fmt::Debug for Ledger<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("keep_micros", &self.keep)
            .finish_non_exhaustive()
    }
}

impl<DB: LedgerDatabase> Clone for Ledger<DB> {
    fn clone(&self) -> Self {
        Self {
            keep: self.keep,
            texts: self.texts.clone(),
            database: std::marker::PhantomData,
        }
    }
}
