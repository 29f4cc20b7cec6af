//! Transactions on sqlx that say the truth.
//!
//! sqlx's own have four traps, each of which loses or invents data: a `begin()` that is dropped half-way leaves a
//! connection of the pool inside of a transaction; COMMIT is answered with success where the database had given the
//! transaction up before; a statement whose error was swallowed leaves half of the work to be committed; and a
//! connection that is lost during COMMIT looks like a rollback. Here:
//!
//! * [`scope`] runs a closure inside of a transaction, and commits only when all of it went well.
//! * [`OpenScope`] is the same in pieces, for libraries.
//! * [`ScopeDatabase`] begins such that dropping is safe, and commits such that Ok means committed.
//! * [`Attempt`] lets a library's own writes forbid the commit of the scope around them, however deep they are called.
//! * [`TransactionError`] tells a deadlock, a lock timeout and an unknown outcome apart.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use transaction_scope::{TransactionError, scope, sqlite};
//!
//! let pool = sqlite::open("sqlite::memory:").await?;
//! let one: i64 = scope(&pool, async |tx| {
//!     let row = sqlx::query_scalar("SELECT 1").fetch_one(&mut **tx).await;
//!     row.map_err(TransactionError::database("asking"))
//! })
//! .await?;
//! assert_eq!(one, 1);
//! # Ok::<(), TransactionError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features: `postgres`, `mysql` (MySQL and MariaDB), `sqlite`.
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
    // Without a database, what is written once for each of them has no use.
    allow(dead_code, unused_imports, unused_macros, unused_variables)
)]

mod attempt;
mod begin;
mod database;
mod error;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod scope;
mod scoped;
mod sql;

#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use attempt::{Attempt, Watch};
pub use database::ScopeDatabase;
pub use error::{TransactionError, is_conflict, is_retryable};
pub use open::OpenScope;
pub use scope::{begin, scope, scope_with};
pub use scoped::ScopedTransaction;
#[doc(hidden)]
pub use sql::statement;
