use transaction_scope::ScopeDatabase;

use crate::ledger::LedgerStatements;
use crate::schema::SchemaDatabase;

/// A database that the ledger can live in: `sqlx::Postgres`, `sqlx::MySql` (MariaDB too) or `sqlx::Sqlite`, with the
/// feature of that name. Sealed.
pub trait LedgerDatabase: ScopeDatabase + SchemaDatabase + LedgerStatements {}

impl<DB: ScopeDatabase + SchemaDatabase + LedgerStatements> LedgerDatabase for DB {}
