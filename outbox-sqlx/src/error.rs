use std::sync::Arc;

use outbox_core::{MessageError, MessageId};
use transaction_scope::{TransactionError, is_retryable};

/// What went wrong with the outbox.
///
/// Cloneable, because a failed publish is told twice: to its caller, and to the end of the
/// [`transaction`](crate::Outbox::transaction) that it must not let commit. Nothing in it shows a payload.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The message is out of bounds. Nothing was written.
    #[error(transparent)]
    Message(#[from] MessageError),

    /// The delay or the delivery time is further away than any database here can hold.
    #[error("the message is due too far in the future; at most {max_years} years are allowed")]
    DueTooFar {
        /// The limit, in years.
        max_years: u32,
    },

    /// More keys in one ordered publish than locks may be taken at once.
    #[error(
        "an ordered publish of {count} keys at once; at most {max} are allowed, because each takes a lock in the server's shared memory"
    )]
    TooManyKeys {
        /// How many different keys.
        count: usize,
        /// The limit.
        max: usize,
    },

    /// The connection is not in a transaction that sqlx knows of. Nothing was written.
    #[error(
        "a message can only be published inside a transaction, and this connection is in none: begin one with `outbox.begin(&pool)` or sqlx's `begin()` (a `BEGIN` sent as plain SQL is not seen)"
    )]
    NotInTransaction,

    /// A publish in this transaction was dropped before it was finished (by a timeout or a `select!`), so
    /// whether its message is in is not known. The transaction was rolled back.
    #[error("a publish was cancelled inside this transaction, which was therefore rolled back")]
    PublishCancelled,

    /// A statement failed, its error was swallowed, and the database had given the transaction up.
    /// Postgres would have answered COMMIT with success and rolled back; MySQL rolls back after a deadlock, and what
    /// is written then commits on its own, statement by statement. (There, DDL inside of a transaction ends it too,
    /// by committing it.)
    #[error(
        "this transaction had ended before: an earlier statement failed and its error was not returned, so that the database gave the transaction up; or, on MySQL, a statement such as CREATE TABLE committed it. Return each statement's error, and keep DDL out of transactions"
    )]
    TransactionAborted,

    /// Two transactions waited for each other, and the database chose this one to give way (MySQL 1213, Postgres
    /// 40P01). All of it was rolled back.
    #[error(
        "{doing} met a deadlock, and the database rolled back the whole transaction: begin it again from its first statement. Transactions that lock their rows in one order do not meet it"
    )]
    Deadlock {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },

    /// Another transaction held a lock for longer than this session waits (MySQL 1205 after
    /// `innodb_lock_wait_timeout`, Postgres 55P03 after `lock_timeout`, a busy SQLite after its busy timeout).
    #[error(
        "{doing} waited too long for a lock: roll this transaction back and begin it again from its first statement (on MySQL the statement alone was undone, and the transaction still holds its locks). Keep transactions short, or raise the session's lock timeout"
    )]
    LockTimeout {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },

    /// Something else that belongs to the transaction failed, and its error was swallowed: a write of another library
    /// that takes part in it. It was rolled back.
    #[error(transparent)]
    Transaction {
        /// What happened.
        source: TransactionError,
    },

    /// COMMIT was sent and no answer came: it may or may not have committed. Find out (the business rows
    /// tell) before doing it again.
    #[error("the outcome of the commit is unknown: it may or may not have been carried out")]
    CommitUnknown {
        /// What happened instead of an answer.
        #[source]
        source: Arc<sqlx::Error>,
    },

    /// The database refused or could not be reached, and nothing of this transaction was committed.
    #[error("{doing} failed")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database or the driver said.
        #[source]
        source: Arc<sqlx::Error>,
    },

    /// The outbox's tables are not in this database.
    #[error(
        "the table {table:?} is not in this database: run the migrations (`outbox_sqlx::migrate`, or `outbox-relay migrate`), or look at the search path or the database's name in the URL"
    )]
    SchemaMissing {
        /// The table that was looked for.
        table: &'static str,
    },

    /// The database lacks migrations that this library needs.
    #[error(
        "the outbox in this database is at version {found}, this library needs {needed}: run the migrations; missing: {missing}"
    )]
    SchemaOlder {
        /// The database's version.
        found: i64,
        /// The library's version.
        needed: i64,
        /// The missing migrations by name.
        missing: String,
    },

    /// The database had migrations that this library does not know.
    #[error(
        "the outbox in this database is at version {found}, this library knows only {known}: deploy a newer version of this program"
    )]
    SchemaNewer {
        /// The database's version.
        found: i64,
        /// The library's version.
        known: i64,
    },

    /// A migration failed. It was rolled back; on MySQL, where DDL commits by itself, what was done stays, and the next
    /// migration completes it.
    #[error("migrating the outbox's tables failed")]
    Migration {
        /// Which, and why.
        #[source]
        source: Arc<sqlx::migrate::MigrateError>,
    },

    /// A SQLite database in memory belongs to one connection: with several, each could see another one,
    /// and what is closed is lost.
    #[error(
        "a SQLite database in memory needs a pool of exactly one connection, this pool has up to {connections}: use `sqlite::open`, or a file"
    )]
    MemoryPool {
        /// The pool's maximum.
        connections: u32,
    },

    /// The URL names no database that this build can open.
    #[error("the database URL can't be used")]
    Url {
        /// What is wrong with it.
        #[source]
        source: Arc<sqlx::Error>,
    },

    /// There is no such message among the dead letters or the blocked ones.
    #[error(
        "there is no dead or blocked message {id}: it was redriven, discarded or removed by retention, or never died"
    )]
    NotDead {
        /// The message.
        id: MessageId,
    },

    /// The message is not blocked.
    #[error("message {id} is not blocked")]
    NotBlocked {
        /// The message.
        id: MessageId,
    },

    /// The message's key is parked and has other dead letters: redriving one alone would break the key's order.
    #[error(
        "the key of message {id} is parked with {others} other dead letters: redrive the whole key, or discard the others first"
    )]
    KeyParked {
        /// The message.
        id: MessageId,
        /// The key's other dead letters.
        others: i64,
    },

    /// A discard needs a reason, because it is the only way a committed message is not delivered.
    #[error("discarding a message needs a reason")]
    ReasonEmpty,

    /// The reason is longer than what is kept of it.
    #[error("the reason has {chars} characters, at most {max} are allowed")]
    ReasonTooLong {
        /// How many it has.
        chars: usize,
        /// How many are allowed.
        max: usize,
    },

    /// Whoever redrives, discards or unblocks has to be named, because the audit says who did it.
    #[error("who does this is not said: the audit needs a name")]
    ByEmpty,

    /// The operator's name is longer than what every database can store.
    #[error("the name of who does this has {chars} characters, at most {max} are allowed")]
    ByTooLong {
        /// How many it has.
        chars: usize,
        /// How many are allowed.
        max: usize,
    },

    /// There is no such consumer group, so it has no dead letters.
    #[error("there is no consumer group {group:?}")]
    UnknownGroup {
        /// What was asked for.
        group: String,
    },

    /// There is no dead letter at this place.
    #[error("there is no dead letter at {position}: it was redriven, discarded or removed by retention")]
    NoLetter {
        /// The place, as `dead_letters::Position` is written.
        position: String,
    },

    /// A text that was to be a source, a position, a fingerprint or the like is none.
    #[error("{text:?} is no {what}")]
    NotA {
        /// What it was to be, with an example.
        what: &'static str,
        /// The text.
        text: String,
    },
}

/// What the transaction around a publish met, in the outbox's words.
impl From<TransactionError> for OutboxError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Aborted => Self::TransactionAborted,
            TransactionError::Cancelled => Self::PublishCancelled,
            TransactionError::Deadlock { doing, source } => Self::Deadlock { doing, source },
            TransactionError::LockTimeout { doing, source } => Self::LockTimeout { doing, source },
            TransactionError::CommitUnknown { source } => Self::CommitUnknown { source },
            TransactionError::Database { doing, source } => Self::Database { doing, source },
            TransactionError::MemoryPool { connections } => Self::MemoryPool { connections },
            TransactionError::Url { source } => Self::Url { source },
            TransactionError::Forbidden { ref source } => match source.downcast_ref::<Self>() {
                Some(failed_publish) => failed_publish.clone(),
                None => Self::Transaction { source: error },
            },
            other => Self::Transaction { source: other },
        }
    }
}

impl OutboxError {
    /// Wraps what the driver said while doing something.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| TransactionError::database(doing)(source).into()
    }

    /// What a failed COMMIT means: see [`TransactionError::from_commit`].
    pub fn from_commit(source: sqlx::Error) -> Self {
        TransactionError::from_commit(source).into()
    }

    /// Whether the same transaction, from its beginning, may succeed when it is tried again: a
    /// serialization failure, a deadlock, a busy or unreachable database. Never when the outcome of a
    /// commit is unknown, because then trying again may do it twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_retryable(source),
            Self::Migration { source } => match &**source {
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => is_retryable(error),
                _ => false,
            },
            Self::PublishCancelled | Self::Deadlock { .. } | Self::LockTimeout { .. } => true,
            _ => false,
        }
    }
}
