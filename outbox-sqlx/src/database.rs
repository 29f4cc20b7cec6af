use transaction_scope::ScopeDatabase;

use crate::dead_database::DeadDatabase;
use crate::purge_database::PurgeDatabase;
use crate::schema::SchemaDatabase;
use crate::sql_store::EnqueueDatabase;

/// A database that the outbox can live in: `sqlx::Postgres`, `sqlx::MySql` (MariaDB too) or `sqlx::Sqlite`, with the
/// feature of that name.
pub trait OutboxDatabase:
    ScopeDatabase + SchemaDatabase + EnqueueDatabase + DeadDatabase + PurgeDatabase
{
}

impl<DB: ScopeDatabase + SchemaDatabase + EnqueueDatabase + DeadDatabase + PurgeDatabase> OutboxDatabase
    for DB
{
}
