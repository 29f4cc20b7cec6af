//! PostgreSQL for tests.

use std::sync::Mutex;

use super::{
    LeftOut, SHARED_MAX_CONNECTIONS, Source, or_leave_out, own_shared_server, program, source, to_be_killed,
};
use crate::container::protocol::Kind;
use crate::postgres::Psql;
use crate::{Postgres, PostgresBinaries, PostgresOptions, TestDatabase, environment};

/// Where a Postgres server can come from.
pub type PostgresSource = Source<PostgresBinaries>;

/// Where a Postgres server would come from.
///
/// # Errors
///
/// When there is none.
pub fn postgres() -> Result<PostgresSource, LeftOut> {
    source(
        "postgres",
        environment::POSTGRES_URL,
        Kind::Postgres,
        PostgresBinaries::find,
    )
}

/// A fresh database on the server that tests share. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When there is a server but it refuses; and, outside of `cargo xtask test`, when there is none.
pub fn shared_postgres_database() -> Option<TestDatabase> {
    static OWN: Mutex<Option<Postgres>> = Mutex::new(None);
    let source = or_leave_out(postgres())?;
    psql()?;
    let url = match source {
        Source::Url(url) => Ok(url),
        Source::Container(_) | Source::Native(_) => own_shared_server(
            &OWN,
            || Postgres::start_with(&shared_postgres_options()),
            Postgres::url,
        ),
    };
    let created = url.and_then(|url| TestDatabase::create(&url));
    Some(created.unwrap_or_else(|error| panic!("no database for this test: {error}")))
}

/// A server for this test alone, which it may kill, freeze and restart. A URL can't serve this need. `None`: the test
/// is left out and that was written down.
///
/// # Panics
///
/// When a server is installed but doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn private_postgres(options: &PostgresOptions) -> Option<Postgres> {
    or_leave_out(to_be_killed(
        "private-postgres",
        Kind::Postgres,
        PostgresBinaries::find,
    ))?;
    Some(Postgres::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The client `psql`, for tests that insert from another language. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// Outside of `cargo xtask test`, when it is missing.
pub fn psql() -> Option<Psql> {
    or_leave_out(program("psql", Psql::find()))
}

/// Settings of a server that many tests share.
pub fn shared_postgres_options() -> PostgresOptions {
    PostgresOptions::new().setting("max_connections", SHARED_MAX_CONNECTIONS)
}
