//! The transactional outbox on sqlx.
//!
//! In reading order: [`Outbox`] publishes messages inside the application's own transactions, through
//! [`SqlStore`]; [`migrate`] and [`check_schema`] make and check the tables; the relay stores are what a relay reads
//! and settles in; [`confirmations`] are what consumers say back; [`dead`] is for operators.
//!
//! Features: `postgres`, `mysql` (MySQL and MariaDB), `sqlite`, `maintenance`. A program needs one of the databases; a library that is generic over
//! [`OutboxDatabase`] needs none and leaves the choice to the program.
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
    // Without a database, what is written once for each of them has no use.
    allow(dead_code, unused_imports, unused_macros, unused_variables, unreachable_code)
)]

#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod cells;
mod database;
mod dead_database;
mod error;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod many;
mod outbox;
mod purge_database;
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
mod relay;
mod schema;
mod sql_store;
mod stored_row;

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub mod confirmations;
pub mod dead;
pub mod maintenance;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub mod queue;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use database::OutboxDatabase;
pub use error::OutboxError;
pub use outbox::{Outbox, OutboxBuilder};
#[cfg(feature = "mysql")]
pub use relay::MySqlRelayStore;
#[cfg(feature = "sqlite")]
pub use relay::SqliteRelayStore;
#[cfg(feature = "postgres")]
pub use relay::{PostgresRelayStore, PostgresWakeListener};
pub use schema::{Dialect, check_schema, migrate, schema_sql};
pub use sql_store::SqlStore;
/// The transaction inside of [`Outbox::transaction`].
pub use transaction_scope::ScopedTransaction as OutboxTransaction;
pub use transaction_scope::is_retryable;
