use std::sync::Arc;
use std::time::Duration;

use transaction_scope::TransactionError;

/// What went wrong with the ledger, or with a setting. Cloneable, because it may have to be told twice. Nothing in it shows
/// a key or a stored answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum IdempotencyError {
    /// A scope or a key is empty, too long, or holds what no database here can store. Nothing was written.
    #[error("the {input} of {bytes} bytes can't be used: {problem}")]
    Name {
        /// Which of them: `scope` or `key`.
        input: &'static str,
        /// How long it is.
        bytes: usize,
        /// What is wrong with it, with the limit.
        problem: &'static str,
    },

    /// The answer that was to be kept for duplicates is too long. The transaction was rolled back.
    #[error("an answer of {bytes} bytes is too long to be kept for duplicates; at most {max} are allowed")]
    AnswerTooLong {
        /// How long it is.
        bytes: usize,
        /// The limit.
        max: usize,
    },

    /// An answer can't be written as JSON, or what is stored can't be read as what was asked for.
    #[error("{doing} an answer failed")]
    Answer {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Arc<serde_json::Error>,
    },

    /// It was done before, and no answer was kept: by a `run` that keeps none.
    #[error("it was done before, and its answer was not kept")]
    NoAnswer,

    /// Another transaction is at the same key, and did not end within the lock timeout. Nothing was written.
    #[error("another transaction is at the same key and did not end in time: try again later")]
    Busy,

    /// The key was used for something else: the fingerprints differ. Nothing was written.
    #[error("the same key was used before for another request")]
    Conflict,

    /// What the transaction met.
    #[error(transparent)]
    Transaction(#[from] TransactionError),

    /// The ledger forgets sooner than messages may come again.
    #[error(
        "the ledger remembers for {keeps:?}, but a message may come again after {needed:?} (resend {resend:?} + redelivery {redelivery:?} + dead letters {dead_letters:?}), and would take effect twice: keep the ledger longer, or the messages shorter"
    )]
    RetentionTooShort {
        /// How long the ledger remembers.
        keeps: Duration,
        /// How long it would have to.
        needed: Duration,
        /// How long the sender resends.
        resend: Duration,
        /// How long the queue redelivers.
        redelivery: Duration,
        /// How long dead letters may be redriven.
        dead_letters: Duration,
    },

    /// A message is older than the ledger remembers, so whether it was handled can't be known.
    #[error(
        "the message was created {age:?} ago, and the ledger remembers {keeps:?}: whether it took effect before is not known any more"
    )]
    TooOld {
        /// How old it is.
        age: Duration,
        /// How long the ledger remembers.
        keeps: Duration,
    },

    /// A setting is out of its range.
    #[error("{name} is {given:?}, and must be from {least:?} to {most:?}")]
    Setting {
        /// Which setting, by the name of its method.
        name: &'static str,
        /// What was given.
        given: Duration,
        /// The least that is possible.
        least: Duration,
        /// The most that is possible.
        most: Duration,
    },

    /// The lease would end while its holder still waits for an answer.
    #[error("{name} is {given:?}, and must be below {bound:?} where the lease is {lease:?}")]
    NotBelowLease {
        /// Which setting, by the name of its method.
        name: &'static str,
        /// What was given.
        given: Duration,
        /// What it must be below.
        bound: Duration,
        /// The lease.
        lease: Duration,
    },

    /// The ledger's tables are not in this database.
    #[error(
        "the table {table:?} is not in this database: run the migrations (`idempotency::migrate`), or look at the search path or the database's name in the URL"
    )]
    SchemaMissing {
        /// The table that was looked for.
        table: &'static str,
    },

    /// The database is not at the version that this library needs.
    #[error(
        "the ledger in this database is at version {found}, this library needs {needed}: run the migrations, or deploy a newer version of this program"
    )]
    SchemaVersion {
        /// The database's version.
        found: i64,
        /// The library's version.
        needed: i64,
    },

    /// A migration failed. It was rolled back; on MySQL, where DDL commits by itself, what was done stays, and the next
    /// migration completes it.
    #[error("migrating the ledger's tables failed")]
    Migration {
        /// Which, and why.
        #[source]
        source: Arc<sqlx::migrate::MigrateError>,
    },
}

impl IdempotencyError {
    /// Wraps what the driver said while doing something.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Transaction(TransactionError::database(doing)(source))
    }

    /// A wait for somebody else's lock that was too long is no failure: the key is busy.
    pub(crate) fn or_busy(self) -> Self {
        match self {
            Self::Transaction(TransactionError::LockTimeout { .. }) => Self::Busy,
            other => other,
        }
    }

    /// Whether the same call may succeed later: somebody else was at the same key, or the database was busy or away. Never
    /// when the outcome of a commit is unknown; then the same key has to be asked for again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Transaction(error) => error.is_retryable(),
            _ => false,
        }
    }
}
