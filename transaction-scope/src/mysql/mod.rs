//! What is particular to MySQL and MariaDB.

mod pool;
mod tx;

pub use pool::pool_options;

/// Begins a transaction that sees what was committed when each of its statements begins, and locks rows and never the
/// gaps between them.
pub const BEGIN_OWN: &str = crate::sql!("mysql/begin_own.sql");

// Error numbers that both servers use.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
// https://mariadb.com/kb/en/mariadb-error-code-reference/

/// Too many connections.
const ER_CON_COUNT_ERROR: u16 = 1040;
/// The server is shutting down.
const ER_SERVER_SHUTDOWN: u16 = 1053;
/// Another transaction held a lock for longer than `innodb_lock_wait_timeout`; the statement alone was undone.
pub(crate) const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;
/// Two transactions waited for each other, and this one was rolled back.
pub(crate) const ER_LOCK_DEADLOCK: u16 = 1213;
/// A procedure or a savepoint is not there.
const ER_SP_DOES_NOT_EXIST: u16 = 1305;
/// MariaDB with `innodb_snapshot_isolation`: a row was changed after this transaction's snapshot. It was rolled back.
pub(crate) const ER_CHECKREAD: u16 = 1020;
/// The tables of a prepared statement left the server's cache (`table_definition_cache`) faster than it could look again.
const ER_NEED_REPREPARE: u16 = 1615;
/// The session was killed.
const ER_CONNECTION_KILLED: u16 = 1927;
/// The same, or its statement was (MySQL).
const ER_QUERY_INTERRUPTED: u16 = 1317;

/// Whether the transaction that met this error, begun anew, may succeed. (Deadlocks and lock timeouts are
/// told apart before.)
pub(crate) fn is_passing(number: u16) -> bool {
    matches!(
        number,
        ER_CON_COUNT_ERROR
            | ER_SERVER_SHUTDOWN
            | ER_NEED_REPREPARE
            | ER_CHECKREAD
            | ER_CONNECTION_KILLED
            | ER_QUERY_INTERRUPTED
    )
}

/// The server's number for an error; `None` for one that is not the server's.
pub fn number(error: &sqlx::Error) -> Option<u16> {
    match error {
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .map(sqlx::mysql::MySqlDatabaseError::number),
        _ => None,
    }
}
