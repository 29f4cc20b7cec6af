//! Does a thing once, however often it is asked for.
//!
//! [`Ledger`] is a row under a unique index, in the transaction of what is done; the [`lock`] stops the common, short-lived
//! duplicate cheaply, and nothing depends on it for being right.
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
    // Without a database, what is written once for each of them has no use.
    allow(dead_code, unused_imports, unused_macros, unused_variables)
)]

mod database;
mod error;
mod ledger;
mod schema;

pub mod lock;

pub use database::LedgerDatabase;
pub use error::IdempotencyError;
pub use ledger::{
    ANSWER_BYTES, CLOCKS_DIFFER, Claim, EXPIRE_BATCH, Fingerprint, KEY_BYTES, Ledger, SCOPE_BYTES, Stored,
};
pub use schema::{check_schema, migrate, schema_sql};
