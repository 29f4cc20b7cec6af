use std::error::Error;
use std::sync::Arc;

use sqlx::error::DatabaseError;

/// What went wrong with a transaction. Cloneable, because it may have to be told twice.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// A statement failed, its error was swallowed, and the database had given the transaction up.
    /// Postgres would have answered COMMIT with success and rolled back; MySQL rolls back after a deadlock, and what
    /// is written then commits on its own, statement by statement. (There, DDL inside of a transaction ends it too,
    /// by committing it.)
    #[error(
        "this transaction had ended before: an earlier statement failed and its error was not returned, so that the database gave the transaction up; or, on MySQL, a statement such as CREATE TABLE committed it. Return each statement's error, and keep DDL out of transactions"
    )]
    Aborted,

    /// Something that was to be part of this transaction failed, and its error was swallowed. It was rolled back.
    #[error(
        "a write that belongs to this transaction failed and its error was not returned; it was rolled back"
    )]
    Forbidden {
        /// The error that was swallowed.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },

    /// Something that was to be part of this transaction was dropped before it was finished (by a timeout or a
    /// `select!`), so whether it is in is not known. It was rolled back.
    #[error("a write was cancelled inside this transaction, which was therefore rolled back")]
    Cancelled,

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
}

impl TransactionError {
    /// Wraps what the driver said while doing something: of a statement, never of a commit.
    pub fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| {
            let waiting = Waiting::of(&source);
            let source = Arc::new(source);
            match waiting {
                Some(Waiting::Deadlock) => Self::Deadlock { doing, source },
                Some(Waiting::TooLong) => Self::LockTimeout { doing, source },
                None => Self::Database { doing, source },
            }
        }
    }

    /// What a failed COMMIT means.
    ///
    /// An answer of the database that says "rolled back" (a serialization failure, a violated deferred
    /// constraint, a busy SQLite) is that; anything else (a lost connection, a shutdown in the middle) is
    /// [`TransactionError::CommitUnknown`].
    pub fn from_commit(source: sqlx::Error) -> Self {
        let rolled_back = match &source {
            sqlx::Error::Database(error) => says_rolled_back(&**error),
            _ => false,
        };
        let source = Arc::new(source);
        if rolled_back {
            Self::Database {
                doing: "committing",
                source,
            }
        } else {
            Self::CommitUnknown { source }
        }
    }

    /// Whether the database undid the transaction because of others: see [`is_conflict`].
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Deadlock { .. } => true,
            Self::Database { source, .. } => is_conflict(source),
            _ => false,
        }
    }

    /// Whether the same transaction, from its beginning, may succeed when it is tried again: a
    /// serialization failure, a deadlock, a busy or unreachable database. Never when the outcome of a
    /// commit is unknown, because then trying again may do it twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_retryable(source),
            Self::Cancelled | Self::Deadlock { .. } | Self::LockTimeout { .. } => true,
            _ => false,
        }
    }
}

/// Whether the transaction that met this error, begun anew, may succeed: a serialization failure, a deadlock,
/// a busy or unreachable database.
///
/// Of a statement's error only. What a *commit* answered goes through [`TransactionError::from_commit`], because
/// after a lost connection it may have been carried out. (So there is no `From<sqlx::Error>` for
/// [`TransactionError`]: with it, `tx.commit().await?` would call an unknown outcome a rollback.)
pub fn is_retryable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => is_retryable_code(&**error),
        _ => false,
    }
}

fn is_retryable_code(error: &dyn DatabaseError) -> bool {
    if Waiting::code(error).is_some() {
        return true;
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        return matches!(
            error.code(),
            // serialization failure, too many connections, shutdown, crash, starting up
            "40001" | "53300" | "57P01" | "57P02" | "57P03"
        ) || error.code().starts_with("08");
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return crate::mysql::is_passing(error.number());
    }
    false
}

/// Whether the database undid the transaction because of others that ran at the same time: a deadlock, or a
/// serialization failure. Nothing is wrong with the transaction; begun anew it may succeed at once.
pub fn is_conflict(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    if let Some(waiting) = Waiting::code(&**error) {
        return matches!(waiting, Waiting::Deadlock);
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return error.code() == "40001";
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return error.number() == crate::mysql::ER_CHECKREAD;
    }
    false
}

/// What went wrong while waiting for other transactions.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    // SQLite has one writer, and so none.
    #[cfg_attr(not(any(feature = "postgres", feature = "mysql")), allow(dead_code))]
    Deadlock,
    TooLong,
}

impl Waiting {
    fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Database(error) => Self::code(&**error),
            _ => None,
        }
    }

    fn code(error: &dyn DatabaseError) -> Option<Self> {
        #[cfg(feature = "postgres")]
        if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            return match error.code() {
                "40P01" => Some(Self::Deadlock),
                "55P03" => Some(Self::TooLong),
                _ => None,
            };
        }
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return match error.number() {
                crate::mysql::ER_LOCK_DEADLOCK => Some(Self::Deadlock),
                crate::mysql::ER_LOCK_WAIT_TIMEOUT => Some(Self::TooLong),
                _ => None,
            };
        }
        #[cfg(feature = "sqlite")]
        if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            return crate::sqlite::is_busy(error).then_some(Self::TooLong);
        }
        None
    }
}

fn says_rolled_back(error: &dyn DatabaseError) -> bool {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        // Class 40 is "transaction rollback" but for 40003, "statement completion unknown"; 23 is a violated
        // constraint that was deferred to the commit.
        return (error.code().starts_with("40") && error.code() != "40003") || error.code().starts_with("23");
    }
    #[cfg(feature = "sqlite")]
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // A COMMIT that is busy or violates a deferred foreign key leaves the transaction open, and it is
        // rolled back when it is dropped.
        return crate::sqlite::is_busy(error) || error.is_foreign_key_violation();
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        // A deadlock at COMMIT is Galera's way to say that another node's transaction came first.
        return error.number() == crate::mysql::ER_LOCK_DEADLOCK;
    }
    false
}
