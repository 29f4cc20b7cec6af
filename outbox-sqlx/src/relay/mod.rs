//! The store that a relay reads from and settles in, one per database.
//!
//! [`PostgresRelayStore`](crate::PostgresRelayStore) and [`MySqlRelayStore`](crate::MySqlRelayStore) keep one connection
//! of their own (`own`), because a relay's session plans, locks and commits differently from an application's.
//! [`SqliteRelayStore`](crate::SqliteRelayStore) shares the
//! application's pool, because on SQLite the pool is the queue of writers. What they have in common is how a
//! stored row becomes a message (`stored_row`), when a page is full (`page`), and how failures are sorted by what
//! follows from them (`settlement`).

pub(crate) mod error;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod own;
mod page;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod rows;
mod settlement;

#[cfg(feature = "mysql")]
pub(crate) mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "mysql")]
pub use mysql::MySqlRelayStore;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresRelayStore, PostgresWakeListener};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteRelayStore;

/// The version of the schema that this version of the library works with.
const SCHEMA_VERSION: i64 = 5;

/// Leases and delays are at most this long: longer ones would overflow a database's time. A hundred years.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(100 * 365 * 24 * 3600);

/// A duration in microseconds, at most [`LONGEST`].
pub(crate) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.min(LONGEST).as_micros()).unwrap_or(i64::MAX)
}

/// A count as SQL takes it.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The set's bits as SQL takes them.
fn mask(shards: outbox_core::relay::ShardSet) -> i64 {
    shards.0.cast_signed()
}
