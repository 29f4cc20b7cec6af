use transaction_scope::ScopeDatabase;

use crate::dead_database::DeadDatabase;
use crate::purge_database::PurgeDatabase;
use crate::schema::SchemaDatabase;

/// A database that the outbox can live in: `sqlx::Postgres`, `sqlx::MySql` (MariaDB too) or `sqlx::Sqlite`, with the
/// feature of that name.
pub trait OutboxDatabase: ScopeDatabase + SchemaDatabase + DeadDatabase + PurgeDatabase {}

impl<DB: ScopeDatabase + SchemaDatabase + DeadDatabase + PurgeDatabase> OutboxDatabase for DB {}
