//! What is particular to SQLite.

mod open;
mod tx;

pub use open::{check_pool, connect_options, open};

/// Whether another connection had the lock for longer than the busy timeout, or a snapshot was too old to
/// be written from: primary codes `SQLITE_BUSY` and `SQLITE_LOCKED` (<https://www.sqlite.org/rescode.html>).
pub(crate) fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    const SQLITE_BUSY: i32 = 5;
    const SQLITE_LOCKED: i32 = 6;
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    // The low byte of an extended code is its primary code.
    matches!(code.map(|code| code & 0xff), Some(SQLITE_BUSY | SQLITE_LOCKED))
}
