//! PostgreSQL: a private server that a test may harm, and databases on one that tests share.

mod binaries;
mod database;
mod options;
mod psql;
mod server;
mod url;

pub use binaries::PostgresBinaries;
pub use database::TestDatabase;
pub use options::PostgresOptions;
pub use psql::Psql;
pub use server::Postgres;
pub use url::{with_database, without_password};
