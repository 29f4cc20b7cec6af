//! Makes the servers available that tests need.

use anyhow::{Context, Result};
use outbox_test_harness::postgres::{Psql, without_password};
use outbox_test_harness::requirement::{self, PostgresSource};
use outbox_test_harness::{Postgres, PostgresBinaries, PostgresOptions, TestDatabase, environment};

use crate::apt;

const PACKAGES: [&str; 2] = ["postgresql", "postgresql-client"];

/// The servers of one test run; they end with this value.
#[derive(Debug)]
pub(crate) struct Servers {
    _started: Option<Postgres>,
    /// Where tests that share a server find it; `None` when there is none.
    pub(crate) postgres_url: Option<String>,
}

impl Servers {
    /// Finds or starts what there is, says what it uses, and installs what is missing if it may. What can't be had is
    /// no error here: the tests that need it write down that they were left out.
    pub(crate) fn provide() -> Result<Self> {
        install_missing();
        println!("Servers:");
        match Psql::find() {
            Ok(psql) => println!("  psql: {}", psql.program().display()),
            Err(error) => println!("  psql: none; {error}"),
        }
        let servers = match requirement::postgres() {
            Ok(PostgresSource::Url(url)) => Self::given(url)?,
            Ok(PostgresSource::Native(_)) => Self::start()?,
            Ok(other) => anyhow::bail!("a source of Postgres that xtask doesn't know: {other:?}"),
            Err(missing) => {
                println!("  Postgres: none; {}", missing.reason);
                return Ok(Self {
                    _started: None,
                    postgres_url: None,
                });
            }
        };
        match PostgresBinaries::find() {
            Ok(binaries) => println!(
                "  Postgres that tests may kill: {} in {}",
                binaries.version(),
                binaries.folder().display()
            ),
            Err(error) => println!("  Postgres that tests may kill: none; {error}"),
        }
        Ok(servers)
    }

    /// A server that the user named must work: falling back to another one would hide the mistake.
    fn given(url: String) -> Result<Self> {
        let shown = without_password(&url);
        println!("  Postgres: {shown}, from {}", environment::POSTGRES_URL);
        if Psql::find().is_ok() {
            TestDatabase::create(&url).with_context(|| {
                format!(
                    "{} is set to {shown}, but no database can be created there",
                    environment::POSTGRES_URL
                )
            })?;
        }
        Ok(Self {
            _started: None,
            postgres_url: Some(url),
        })
    }

    fn start() -> Result<Self> {
        let server = Postgres::start_with(&requirement::shared_options())
            .context("Postgres is installed but a private instance doesn't start")?;
        println!(
            "  Postgres: {}, started for this run at {}",
            server.version(),
            server.url()
        );
        Ok(Self {
            postgres_url: Some(server.url()),
            _started: Some(server),
        })
    }
}

/// A server for one command; its programs are installed first if they are missing and we may.
pub(crate) fn private_postgres(options: &PostgresOptions) -> Result<Postgres> {
    install_missing();
    Ok(Postgres::start_with(options)?)
}

// Speaks on standard error: the standard output of `with-postgres` is that of its command.
fn install_missing() {
    if PostgresBinaries::find().is_ok() && Psql::find().is_ok() {
        return;
    }
    if let Some(obstacle) = apt::obstacle() {
        eprintln!(
            "PostgreSQL's programs are missing; {obstacle}: install {} yourself.",
            PACKAGES.join(" and ")
        );
    } else if let Err(error) = apt::install(&PACKAGES) {
        // Not the end: what is missing now is listed as left out, and with REQUIRE_ALL=1 that fails the run.
        eprintln!("PostgreSQL could not be installed: {error:#}");
    }
}
