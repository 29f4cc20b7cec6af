use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::error::TransactionError;

/// How long a transaction waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections of a pool on a file: one writes at a time, the others may read.
const FILE_CONNECTIONS: u32 = 4;

/// Options for a database that keeps what it confirmed and that several connections can use.
///
/// The file is created if it is missing. WAL, so that readers don't wait for the writer;
/// `synchronous = FULL`, so that a commit that returned Ok survives a kill of the process *and* a loss of
/// power. (`NORMAL` is several times faster on slow disks and survives the kill, but a loss of power may
/// undo the last commits, whose messages may be delivered by then. It can be set on what is returned.)
/// A busy timeout of 10 s, and foreign keys are enforced.
///
/// # Errors
/// [`TransactionError::Url`].
pub fn connect_options(url: &str) -> Result<SqliteConnectOptions, TransactionError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|source| TransactionError::Url {
        source: Arc::new(source),
    })?;
    Ok(options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true))
}

/// Opens a pool with [`connect_options`].
///
/// A database in memory (`sqlite::memory:`) gets exactly one connection, which is never closed for being
/// idle or old, because the database would go with it.
///
/// # Errors
/// [`TransactionError::Url`], or the file can't be opened.
pub async fn open(url: &str) -> Result<SqlitePool, TransactionError> {
    let options = connect_options(url)?;
    let pool = if is_in_memory(&options) {
        SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
    } else {
        SqlitePoolOptions::new().max_connections(FILE_CONNECTIONS)
    };
    pool.connect_with(options)
        .await
        .map_err(TransactionError::database("opening the database"))
}

/// Refuses a pool of several connections on a database in memory: what one of them commits, another may
/// not see, and what is idle for long enough is closed and lost.
///
/// # Errors
/// [`TransactionError::MemoryPool`].
pub fn check_pool(pool: &SqlitePool) -> Result<(), TransactionError> {
    let connections = pool.options().get_max_connections();
    if connections > 1 && is_in_memory(&pool.connect_options()) {
        return Err(TransactionError::MemoryPool { connections });
    }
    Ok(())
}

/// sqlx gives `sqlite::memory:` and `?mode=memory` such names.
fn is_in_memory(options: &SqliteConnectOptions) -> bool {
    let name = options.get_filename().to_string_lossy();
    name.is_empty() || name.contains(":memory:") || name.starts_with("file:sqlx-in-memory-")
}
