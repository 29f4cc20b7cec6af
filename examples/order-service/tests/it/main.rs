//! The order service as a whole: the real binary, over its HTTP API, on SQLite, on Postgres and on MySQL.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod bad_configuration;
mod browser;
mod crashes;
mod demo;
mod drain;
mod once;
mod orders;
mod page;
mod together;
mod validation;
