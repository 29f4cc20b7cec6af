//! Postgres for a test run or a command.

use anyhow::{Context, Result};
use outbox_test_harness::postgres::{Psql, without_password};
use outbox_test_harness::{
    Postgres, PostgresBinaries, PostgresOptions, TestDatabase, environment, requirement,
};

use super::{Kind, Shared, install, say_client, say_private};

const PACKAGES: [&str; 2] = ["postgresql", "postgresql-client"];

pub(super) fn provide() -> Result<Shared<Postgres>> {
    let psql = Psql::find();
    say_client("psql", psql.as_ref().map(Psql::program));
    let kind = Kind {
        name: "Postgres",
        variable: environment::POSTGRES_URL,
        start: &start,
        check: &check,
    };
    let shared = kind.share(requirement::postgres())?;
    let binaries = PostgresBinaries::find();
    let found = binaries.as_ref();
    say_private(
        "Postgres",
        found.map(|binaries| (binaries.version(), binaries.folder())),
    );
    Ok(shared)
}

/// A server for one command; its programs are installed first if they are missing and we may.
pub(crate) fn private_postgres(options: &PostgresOptions) -> Result<Postgres> {
    install_missing();
    Ok(Postgres::start_with(options)?)
}

pub(super) fn install_missing() {
    if PostgresBinaries::find().is_err() || Psql::find().is_err() {
        install("PostgreSQL", &PACKAGES);
    }
}

fn start() -> Result<(Postgres, String, String)> {
    let server = Postgres::start_with(&requirement::shared_postgres_options())
        .context("Postgres is installed but a private instance doesn't start")?;
    let (version, url) = (server.version().to_owned(), server.url());
    Ok((server, version, url))
}

fn check(url: &str) -> Result<()> {
    if Psql::find().is_err() {
        return Ok(());
    }
    TestDatabase::create(url).map(drop).with_context(|| {
        format!(
            "{} is set to {}, but no database can be created there",
            environment::POSTGRES_URL,
            without_password(url)
        )
    })
}
