//! What is particular to SQLite.

mod dead;
mod enqueue;
mod purge;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use crate::error::OutboxError;

/// See [`transaction_scope::sqlite::connect_options`].
///
/// # Errors
/// [`OutboxError::Url`].
pub fn connect_options(url: &str) -> Result<SqliteConnectOptions, OutboxError> {
    Ok(transaction_scope::sqlite::connect_options(url)?)
}

/// See [`transaction_scope::sqlite::open`].
///
/// # Errors
/// [`OutboxError::Url`], or the file can't be opened.
pub async fn open(url: &str) -> Result<SqlitePool, OutboxError> {
    Ok(transaction_scope::sqlite::open(url).await?)
}
