use std::future::Future;

use sqlx::{Database, Pool, Transaction};

use crate::dead_database::DeadDatabase;
use crate::error::OutboxError;
use crate::purge_database::PurgeDatabase;
use crate::schema::SchemaDatabase;

/// A database that the outbox can live in: `sqlx::Postgres`, `sqlx::MySql` (MariaDB too) or `sqlx::Sqlite`, with the
/// feature of that name.
///
/// Sealed: how a transaction is begun and committed safely is this crate's business.
pub trait OutboxDatabase: Database + sealed::Sealed + SchemaDatabase + DeadDatabase + PurgeDatabase {
    /// Begins a transaction such that dropping this future leaves no connection of the pool inside one.
    fn begin(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Transaction<'static, Self>, OutboxError>> + Send;

    /// Begins a transaction of this library's own: one that sees what was committed when each of its statements
    /// begins, and locks no gaps between rows, whatever the pool's sessions are set to.
    fn begin_own(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Transaction<'static, Self>, OutboxError>> + Send {
        Self::begin(pool)
    }

    /// Commits and says the truth about it: Ok only when it was committed.
    fn commit(tx: Transaction<'static, Self>) -> impl Future<Output = Result<(), OutboxError>> + Send;
}

pub(crate) mod sealed {
    /// Keeps `OutboxDatabase` for this crate to implement.
    pub trait Sealed {}
}
