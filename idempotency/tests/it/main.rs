//! One binary, so that it is linked once.
//!
//! SQLite needs nothing. The others need servers, whose URLs are in `OUTBOX_TEST_POSTGRES_URL` and
//! `OUTBOX_TEST_MYSQL_URL` (MySQL or MariaDB); each test makes a database of its own there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cancel;
mod claims;
mod consumer;
mod databases;
mod expiry;
mod faulty_locks;
mod guard;
mod http;
mod lock;
mod lock_stores;
mod names;
mod once;
mod prepared;
mod prepared_dropped;
#[path = "../../../outbox-sqlx/tests/support/proxy.rs"]
mod proxy;
mod schema;
mod timeouts;
