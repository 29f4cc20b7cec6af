//! Does a thing once, however often it is asked for.
//!
//! A request that timed out is sent again; a message is delivered twice; a user presses the button again. Each is the same
//! thing, asked for once more, and doing it once more charges a card twice:
//!
//! ```text
//! if !ledger.has(key).await? {      // two tasks get here
//!     charge(&card).await?;         // twice; or once, and the process dies before the next line
//!     ledger.insert(key).await?;
//! }
//! ```
//!
//! Here the key is a row under a unique index, written by the *same transaction* as the work. Both are committed, or
//! neither is; who comes second finds the row, or waits until it is decided:
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use idempotency::{Duplicate, Idempotency, Outcome};
//!
//! let pool = transaction_scope::sqlite::open("sqlite::memory:").await?;
//! idempotency::migrate(&pool).await?;
//! sqlx::query("CREATE TABLE payment (order_id TEXT NOT NULL)").execute(&pool).await?;
//!
//! let idempotency = Idempotency::builder(pool.clone()).build().await?;
//! for expected in [Outcome::First(()), Outcome::Duplicate(Duplicate::Ledger)] {
//!     let outcome = idempotency
//!         .run("payments", "order-7", async |tx| {
//!             sqlx::query("INSERT INTO payment VALUES ('order-7')").execute(&mut **tx).await?;
//!             Ok::<_, sqlx::Error>(())
//!         })
//!         .await?;
//!     assert_eq!(outcome, expected);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`Idempotency`] is the guard; [`Idempotency::run_stored`] gives duplicates the first one's answer, and
//! [`Operation::fingerprint`] tells another request under the same key; [`Ledger`] is for transactions that are somebody
//! else's; [`migrate`] and [`check_schema`] make and check the tables; [`lock`] stops the common, short-lived duplicate
//! before it reaches the database. It may forget, grant twice or be away: nothing depends on it for being right.
//! `docs/idempotency.md` tells each of these stories to its end.
//!
//! Only what is written in the transaction is done once. A request to somebody else inside of the work is not undone when
//! the transaction is rolled back: write down what is to be sent in the transaction (an outbox is that), and send it
//! afterwards.
//!
//! Expired rows are removed by [`Idempotency::expire`], which somebody has to call now and then. A holder whose process is
//! frozen keeps its key busy until the database ends its transaction: set `idle_in_transaction_session_timeout` (Postgres),
//! `wait_timeout` (MySQL) or `idle_transaction_timeout` (MariaDB).
//!
//! Features: `postgres`, `mysql` (MySQL and MariaDB), `sqlite`; `redis` for the lock in Redis; `consumer` for handlers of the
//! outbox's consumers; `http` for requests with an `Idempotency-Key`. A program needs one of the databases; a library that
//! is generic over [`LedgerDatabase`] needs none and leaves the choice to the program.
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
    // Without a database, what is written once for each of them has no use.
    allow(dead_code, unused_imports, unused_macros, unused_variables)
)]

mod database;
mod error;
mod guard;
mod ledger;
mod schema;

#[cfg(feature = "consumer")]
pub mod consumer;
#[cfg(feature = "http")]
pub mod http;
pub mod lock;

pub use database::LedgerDatabase;
pub use error::IdempotencyError;
pub use guard::{
    Decisions, Duplicate, Idempotency, IdempotencyBuilder, Operation, Outcome, Retention, RunError,
    StoredOutcome,
};
pub use ledger::{
    ANSWER_BYTES, CLOCKS_DIFFER, Claim, EXPIRE_BATCH, Fingerprint, KEY_BYTES, Ledger, SCOPE_BYTES, Stored,
};
pub use schema::{check_schema, migrate, schema_sql};
