//! What a test needs from the machine, and what becomes of a test whose need can't be met.
//!
//! A server comes from the first of these that there is:
//!
//! 1. a URL in the environment ([`environment::POSTGRES_URL`]); `cargo xtask test` sets it for a server it started,
//! 2. (the place of a container engine: a server in a container would be found here),
//! 3. server programs on the machine, started as a private instance.
//!
//! A test that finds none is *left out*: under `cargo xtask test` that is written down, listed at the end, and with
//! `REQUIRE_ALL=1` a failure. Under a plain `cargo test` nobody would see the list, so the test fails at once and says
//! what to run. Nothing is skipped in silence.
//!
//! ```
//! use outbox_test_harness::requirement;
//!
//! fn my_test() {
//!     let Some(database) = requirement::shared_postgres_database() else { return };
//!     println!("{}", database.url());
//! }
//! ```

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::postgres::Psql;
use crate::{HarnessError, Postgres, PostgresBinaries, PostgresOptions, TestDatabase, environment, output};

/// Tests of one binary run at once, each with a pool or two.
const SHARED_MAX_CONNECTIONS: u32 = 300;

/// Where a Postgres server can come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PostgresSource {
    /// A server that is already running.
    Url(String),
    /// Programs to start one with.
    Native(PostgresBinaries),
}

/// Something a test needs and the machine doesn't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What is needed, as it stands in `tests/allowed-left-out.toml`: `postgres`, `private-postgres`, `psql`.
    pub name: String,
    /// Why it can't be had.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// Where a Postgres server would come from.
///
/// # Errors
///
/// When there is none.
pub fn postgres() -> Result<PostgresSource, LeftOut> {
    if let Some(url) = environment::non_empty(environment::POSTGRES_URL) {
        return Ok(PostgresSource::Url(url));
    }
    PostgresBinaries::find()
        .map(PostgresSource::Native)
        .map_err(|error| {
            let reason = format!("{error}, and {} is not set", environment::POSTGRES_URL);
            LeftOut {
                name: "postgres".to_owned(),
                reason,
            }
        })
}

/// A fresh database on the server that tests share. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When there is a server but it refuses; and, outside of `cargo xtask test`, when there is none.
pub fn shared_postgres_database() -> Option<TestDatabase> {
    let source = or_leave_out(postgres())?;
    or_leave_out(psql_or_left_out())?;
    let created = match source {
        PostgresSource::Url(url) => TestDatabase::create(&url),
        PostgresSource::Native(_) => own_shared_server().and_then(|url| TestDatabase::create(&url)),
    };
    Some(created.unwrap_or_else(|error| panic!("no database for this test: {error}")))
}

/// A server for this test alone, which it may kill, freeze and restart. A URL can't serve this need. `None`: the test
/// is left out and that was written down.
///
/// # Panics
///
/// When a server is installed but doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn private_postgres(options: &PostgresOptions) -> Option<Postgres> {
    or_leave_out(PostgresBinaries::find().map_err(|error| LeftOut {
        name: "private-postgres".to_owned(),
        reason: format!("{error}; a server that a test may kill can't come from a URL"),
    }))?;
    Some(Postgres::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The client `psql`, for tests that insert from another language. `None`: the test is left out and that was written
/// down.
///
/// # Panics
///
/// Outside of `cargo xtask test`, when it is missing.
pub fn psql() -> Option<Psql> {
    or_leave_out(psql_or_left_out())
}

/// Writes down that the calling test did not do its work, under the name that `tests/allowed-left-out.toml` knows.
///
/// # Panics
///
/// Outside of `cargo xtask test`, where nobody would see it.
pub fn left_out(name: &str, reason: &str) {
    let Some(list) = environment::non_empty(environment::LEFT_OUT) else {
        panic!(
            "{name} is needed: {reason}. Run `cargo xtask test`, which provides what it can and lists the rest."
        );
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("an unnamed thread");
    append_left_out(Path::new(&list), name, test, reason).unwrap_or_else(|error| {
        panic!("{name} was left out ({reason}), but {list} can't be written: {error}")
    });
}

/// Appends one entry to a list of what was left out: name, test and reason, separated by tabs, in one write.
///
/// # Errors
///
/// When the file can't be written.
pub fn append_left_out(list: &Path, name: &str, test: &str, reason: &str) -> std::io::Result<()> {
    let field = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{}\t{}\t{}\n", field(name), field(test), field(reason));
    output::append(list)?.write_all(line.as_bytes())
}

fn psql_or_left_out() -> Result<Psql, LeftOut> {
    Psql::find().map_err(|error| LeftOut {
        name: "psql".to_owned(),
        reason: error.to_string(),
    })
}

fn or_leave_out<T>(needed: Result<T, LeftOut>) -> Option<T> {
    needed
        .inspect_err(|missing| left_out(&missing.name, &missing.reason))
        .ok()
}

/// Outside of xtask, a test binary shares one server of its own. It is never dropped: it ends with the process, and
/// its folder is swept by a later one.
fn own_shared_server() -> Result<String, HarnessError> {
    static SERVER: Mutex<Option<Postgres>> = Mutex::new(None);
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if server.is_none() {
        *server = Some(Postgres::start_with(&shared_options())?);
    }
    server
        .as_ref()
        .map(Postgres::url)
        .ok_or_else(|| HarnessError::BadInput("no server".to_owned()))
}

/// Settings of a server that many tests share.
pub fn shared_options() -> PostgresOptions {
    PostgresOptions::new().setting("max_connections", SHARED_MAX_CONNECTIONS)
}
