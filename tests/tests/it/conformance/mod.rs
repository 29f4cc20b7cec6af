//! One suite of guarantees for every outbox store, run by each in a file of a few lines.

#[macro_use]
mod suite;

mod mysql;
mod postgres;
mod sqlite;
