//! A row in the ledger for a request whose handler has a transaction of its own, or none.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod numbered;

use std::future::Future;

use sqlx::{Database, Pool};

use crate::ledger::Fingerprint;

/// One holder's claim. Times are in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Hold<'a> {
    pub(super) scope: &'a str,
    pub(super) key: &'a str,
    pub(super) fingerprint: Fingerprint,
    pub(super) lease: i64,
    pub(super) keep: i64,
    /// Random: which of the holders it is.
    pub(super) epoch: i64,
}

/// What stands in the ledger for a key.
#[derive(Debug)]
pub struct Held {
    pub(super) fingerprint: Option<Vec<u8>>,
    pub(super) in_flight: bool,
    pub(super) expired: bool,
    /// Whether its holder gives signs of life.
    pub(super) alive: bool,
    pub(super) epoch: i64,
    pub(super) answer: Option<Vec<u8>>,
}

/// The statements of holders, each by itself. Private: [`IdempotencyLayer`](super::IdempotencyLayer) is what is used.
pub trait HoldStatements: Database {
    /// Claims a key; false when there is a row.
    fn hold(pool: &Pool<Self>, hold: Hold<'_>) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Reads the row that was in the way.
    fn read_held(
        pool: &Pool<Self>,
        hold: Hold<'_>,
    ) -> impl Future<Output = sqlx::Result<Option<Held>>> + Send;

    /// Takes over a row as it was read; false when somebody was faster.
    fn take_over_held(
        pool: &Pool<Self>,
        hold: Hold<'_>,
        former: i64,
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Gives a sign of life; false when the row is somebody else's by now.
    fn extend_hold(pool: &Pool<Self>, hold: Hold<'_>) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Done, with this answer; false when the row is somebody else's by now.
    fn finish_hold(
        pool: &Pool<Self>,
        hold: Hold<'_>,
        answer: &[u8],
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Nothing was done; false when the row is somebody else's by now.
    fn release_hold(pool: &Pool<Self>, hold: Hold<'_>) -> impl Future<Output = sqlx::Result<bool>> + Send;
}

/// Reads a row of `hold_read.sql`.
macro_rules! held {
    ($row:expr) => {{
        let row = $row;
        Held {
            fingerprint: sqlx::Row::try_get(&row, 0)?,
            in_flight: sqlx::Row::try_get(&row, 1)?,
            expired: sqlx::Row::try_get(&row, 2)?,
            alive: sqlx::Row::try_get(&row, 3)?,
            epoch: sqlx::Row::try_get(&row, 4)?,
            answer: sqlx::Row::try_get(&row, 5)?,
        }
    }};
}
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
use held;
