//! What retention asks of a database. Private: `maintenance` is what is used.

use std::future::Future;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};

use crate::error::OutboxError;

/// What is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// Delivered messages.
    Archive,
    /// Dead letters.
    Dead,
    /// Notes of discarded messages.
    Discarded,
    /// Confirmations of messages that are settled.
    Confirmations,
}

/// The statements behind `maintenance`.
pub trait PurgeDatabase: Database {
    /// A connection that is the only one to purge as long as it lives; `None` while there is another.
    fn purge_alone(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Option<PoolConnection<Self>>, OutboxError>> + Send;

    /// Removes at most `limit` rows older than `keep` microseconds in a transaction of its own; returns how many.
    fn purge_batch(
        connection: &mut Self::Connection,
        table: Purge,
        keep: i64,
        limit: u32,
    ) -> impl Future<Output = Result<u64, OutboxError>> + Send;
}
