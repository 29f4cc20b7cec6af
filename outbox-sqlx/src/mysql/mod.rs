//! What is particular to MySQL and MariaDB.
//!
//! The SQL is the common subset of the two: no `UPDATE … RETURNING`, no row aliases, `LOCK IN SHARE MODE`, `JSON_TABLE`
//! for lists. This library's own transactions are READ COMMITTED: there a locking read or a DELETE locks the rows that
//! it finds and no gaps between them, so that the application's inserts never wait for it.

mod dead;
mod durability;
mod enqueue;
mod migrate;
pub(crate) mod numbered;
mod purge;

pub use durability::{Durability, check_durability};
pub(crate) use enqueue::STATEMENT_BYTES;
pub(crate) use migrate::migrate_alone;
pub use transaction_scope::mysql::pool_options;
pub(crate) use transaction_scope::mysql::{BEGIN_OWN, number};

/// A table is not there (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>).
const ER_NO_SUCH_TABLE: u16 = 1146;
