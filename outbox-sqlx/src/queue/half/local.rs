//! Where local work in a SQL database records itself.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::MessageId;
use outbox_core::half::{CheckError, LocalOutcome, LocalRecord, LocalRefused, Recorded};
use sqlx::{Connection as _, Pool};

use super::super::database::QueueDatabase;
use super::super::statement::{Statement, args, statement};
use super::store::{forget_old, is_unique_violation};
use crate::error::OutboxError;

const RECORD: Statement = statement!("half_local_record");
const PUT: Statement = statement!("half_local_put");
const FIND: Statement = statement!("half_local_find");
const PATIENCE: Statement = statement!("half_local_patience");
const OLD: Statement = statement!("half_local_old");
const FORGET: Statement = statement!("half_local_forget");

/// How long a check waits for local work that is still running.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(2);
/// A check must not wait for ever: it has a timeout of its own.
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// Most records that are forgotten in one transaction.
const BATCH: i64 = 1_000;

/// The table `outbox_half_local` of a database as a [`LocalRecord`]: for half messages whose local work is in a SQL database
/// other than that of the queue, or that can't use the outbox there. Clones are handles of the same.
///
/// On Postgres and MySQL each check connects to the database for itself, because it sets how long it waits for locks.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use outbox_core::Message;
/// use outbox_core::half::{CheckBack, TombstoneChecker};
/// use outbox_sqlx::queue::{SqlLocalRecord, SqlQueue};
///
/// // Two databases: the one of the queue, and the one of the producer's data.
/// let shared = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
/// let own = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
/// for database in [&shared, &own] {
///     outbox_sqlx::migrate(database).await?;
/// }
/// let half = SqlQueue::new(shared).half_messages();
/// let record = SqlLocalRecord::new(own.clone());
///
/// let id = half.prepare(Message::builder("orders.placed").json(&7)?.build()?).await?;
/// let mut tx = own.begin().await?;
/// record.record(&mut tx, id).await?;
/// // … the local work …
/// tx.commit().await?;
/// half.commit(id).await?;
///
/// // Asks after those that were neither committed nor rolled back.
/// let check_back = CheckBack::builder(half)
///     .checker("orders.placed", Arc::new(TombstoneChecker::new(record)))
///     .build()?;
/// # drop(check_back);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqlLocalRecord<DB: QueueDatabase> {
    pool: Pool<DB>,
    patience: Duration,
}

impl<DB: QueueDatabase> Clone for SqlLocalRecord<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            patience: self.patience,
        }
    }
}

impl<DB: QueueDatabase> fmt::Debug for SqlLocalRecord<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlLocalRecord")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl<DB: QueueDatabase> SqlLocalRecord<DB> {
    /// The table in this database, which [`migrate`](crate::migrate) makes.
    pub fn new(pool: Pool<DB>) -> Self {
        Self {
            pool,
            patience: DEFAULT_PATIENCE,
        }
    }

    /// How long a check waits for local work that has recorded itself and not committed yet; then it answers
    /// [`Undecided`](Recorded::Undecided). Default: 2 seconds; 1 ms to 60 seconds, on MySQL rounded up to whole seconds. On
    /// SQLite it is the pool's busy timeout.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience.clamp(Duration::from_millis(1), PATIENCE_MAX);
        self
    }

    /// Records in the local work's own transaction that the work is done, once it is committed. Best the first statement: it
    /// waits for a check that is looking at this moment.
    ///
    /// # Errors
    /// [`LocalRecordError::Refused`] when a check-back came first, or the work was done by an earlier attempt: nothing was
    /// written, and the transaction must be rolled back. Or the connection is in no transaction, or the database refused.
    pub async fn record(&self, tx: &mut DB::Connection, id: MessageId) -> Result<(), LocalRecordError> {
        if !tx.is_in_transaction() {
            return Err(OutboxError::NotInTransaction.into());
        }
        let failed = || OutboxError::database("recording local work");
        match DB::execute(tx, RECORD, args![id.0]).await {
            Ok(0) => {}
            Ok(_) => return Ok(()),
            Err(error) if is_unique_violation(&error) => {}
            Err(error) => return Err(failed()(error).into()),
        }
        let refused = match find::<DB>(tx, id).await.map_err(failed())? {
            LocalOutcome::Committed => LocalRefused::RecordedBefore { id },
            LocalOutcome::RolledBack => LocalRefused::RolledBack { id },
        };
        Err(refused.into())
    }

    /// Forgets records that are older than `age`, some hundreds in one transaction, and returns how many. It must be longer
    /// than any half message is undecided, parked ones included, and than any local work takes: about a message whose record
    /// was forgotten a check would say that it is rolled back. Dropping it is safe at any time.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn forget_older_than(&self, age: Duration) -> Result<u64, OutboxError> {
        let failed = || OutboxError::database("forgetting records of local work");
        let mut connection = self.pool.acquire().await.map_err(failed())?;
        let mut forgotten = 0;
        loop {
            let batch = forget_old::<DB>(&mut connection, (OLD, FORGET), age, BATCH).await;
            let batch = batch.map_err(failed())?;
            forgotten += batch;
            if batch < BATCH.unsigned_abs() {
                return Ok(forgotten);
            }
        }
    }

    async fn put_in(&self, id: MessageId, outcome: LocalOutcome) -> Result<LocalOutcome, OutboxError> {
        let failed = || OutboxError::database("recording the outcome of local work");
        let patience = i64::try_from(self.patience.as_millis()).unwrap_or(i64::MAX);
        let mut connection = DB::lend(&self.pool).await.map_err(failed())?;
        DB::rows(&mut connection, PATIENCE, args![patience])
            .await
            .map_err(failed())?;
        // Durable, also what somebody else has recorded: an answer that a crash takes back would be a lie.
        let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await.map_err(failed())?;
        DB::execute(&mut tx, PUT, args![id.0, name(outcome)])
            .await
            .map_err(failed())?;
        let found = find::<DB>(&mut tx, id).await.map_err(failed())?;
        tx.commit().await.map_err(OutboxError::from_commit)?;
        Ok(found)
    }
}

async fn find<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    id: MessageId,
) -> sqlx::Result<LocalOutcome> {
    let rows = DB::rows(connection, FIND, args![id.0]).await?;
    let outcome = rows.first().ok_or(sqlx::Error::RowNotFound)?.text(0)?;
    [LocalOutcome::Committed, LocalOutcome::RolledBack]
        .into_iter()
        .find(|known| name(*known) == outcome)
        .ok_or_else(|| sqlx::Error::Decode(format!("{outcome:?} is not an outcome of local work").into()))
}

/// As it is stored.
const fn name(outcome: LocalOutcome) -> &'static str {
    match outcome {
        LocalOutcome::Committed => "committed",
        LocalOutcome::RolledBack => "rolled_back",
    }
}

#[async_trait]
impl<DB: QueueDatabase> LocalRecord for SqlLocalRecord<DB> {
    async fn put(&self, id: MessageId, outcome: LocalOutcome) -> Result<Recorded, CheckError> {
        // In a task of its own, because a check is dropped when it takes too long, and a connection that was dropped inside
        // of a BEGIN may go back to its pool in an open transaction. It ends with its patience, if not before.
        let record = self.clone();
        let putting = tokio::spawn(async move { record.put_in(id, outcome).await });
        let put = putting.await.map_err(|error| {
            CheckError::new("the record of local work was not asked to the end").with_source(error)
        })?;
        match put {
            Ok(recorded) => Ok(Recorded::As(recorded)),
            // Somebody is recording it at this moment.
            Err(OutboxError::LockTimeout { .. }) => Ok(Recorded::Undecided),
            Err(error) => Err(CheckError::new("the record of local work can't be asked").with_source(error)),
        }
    }
}

/// Why local work could not be recorded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LocalRecordError {
    /// The local work must not be done.
    #[error(transparent)]
    Refused(#[from] LocalRefused),
    /// The database refused, or the connection is in no transaction.
    #[error(transparent)]
    Database(#[from] OutboxError),
}

impl LocalRecordError {
    /// Whether the same transaction, from its beginning, may succeed when it is tried again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Database(error) => error.is_retryable(),
        }
    }
}
