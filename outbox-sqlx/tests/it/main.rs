//! One binary, so that it is linked once.
//!
//! SQLite needs nothing. The others need servers, whose URLs are in `OUTBOX_TEST_POSTGRES_URL` and
//! `OUTBOX_TEST_MYSQL_URL` (MySQL or MariaDB); each test makes a database of its own there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod begin;
mod cancel;
mod compile_fail;
mod databases;
mod dead;
mod dead_letters;
mod durability;
mod foreign;
mod half_cancel;
mod limits;
mod maintenance;
mod mysql;
mod mysql_queue;
mod notifier;
mod ordered;
#[path = "../support/proxy.rs"]
mod proxy;
mod publish;
mod schema;
mod scope;
mod sqlite;
mod trace;
