//! PostgreSQL: a private server that a test may harm, and databases on one that tests share.

mod binaries;
mod database;
mod options;
mod program;
mod psql;
mod server;

pub use binaries::PostgresBinaries;
pub use database::TestDatabase;
pub use options::PostgresOptions;
pub use psql::Psql;
pub use server::Postgres;

pub use crate::url::{with_database, without_password};
