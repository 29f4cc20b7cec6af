//! Postgres for a test run or a command.

use anyhow::Result;
use outbox_test_harness::container::ContainerImage;
use outbox_test_harness::container::protocol::Kind;
use outbox_test_harness::postgres::Psql;
use outbox_test_harness::{
    Postgres, PostgresBinaries, PostgresOptions, TestDatabase, environment, requirement,
};

use super::install;
use super::shared::{Shared, Started, Supply};
use crate::containers::Containers;
use crate::images::{self, Images};

const SERVER: &str = "postgresql";

const CLIENT: &str = "postgresql-client";

const SUPPLY: Supply<'_, Postgres> = Supply {
    kind: Kind::Postgres,
    name: "Postgres",
    variable: environment::POSTGRES_URL,
    start: &start,
    check: &check,
    install: &install_missing,
    programs: &programs,
    client: Some(&client),
};

pub(super) fn provide(containers: &Containers) -> Result<Shared<Postgres>> {
    SUPPLY.provide(containers)
}

pub(super) fn in_image(containers: &Containers, image: &str) -> Result<Shared<Postgres>> {
    SUPPLY.in_image(containers, image)
}

/// A server for one command: in a container, where there is an engine, or from programs, which are installed first if
/// they are missing and we may.
pub(crate) fn private_postgres(options: PostgresOptions) -> Result<Postgres> {
    if let Ok(image) = Containers::find()?.image(&Images::plain(Kind::Postgres)?) {
        match Postgres::start_with(&options.clone().container(image)) {
            Ok(server) => return Ok(server),
            Err(error) if images::is_named(Kind::Postgres) => return Err(error.into()),
            Err(error) => eprintln!("{error}"),
        }
    }
    install_missing(true);
    Ok(Postgres::start_with(&options)?)
}

fn install_missing(programs_too: bool) {
    let lacks_programs = programs_too && PostgresBinaries::find().is_err();
    let lacks_client = Psql::find().is_err();
    let packages: Vec<&str> = [(lacks_programs, SERVER), (lacks_client, CLIENT)]
        .into_iter()
        .filter_map(|(lacks, package)| lacks.then_some(package))
        .collect();
    if !packages.is_empty() {
        install("Postgres", &packages);
    }
}

fn start(container: Option<ContainerImage>) -> Result<Started<Postgres>> {
    let options = requirement::shared_postgres_options();
    let server = Postgres::start_with(&match container {
        Some(image) => options.container(image),
        None => options,
    })?;
    Ok(Started {
        version: server.version().to_owned(),
        url: server.url(),
        server,
    })
}

/// Without a client it can't be told; the tests that need one say so.
fn check(url: &str) -> Result<()> {
    if Psql::find().is_ok() {
        TestDatabase::create(url)?;
    }
    Ok(())
}

fn programs() -> Result<String> {
    let found = PostgresBinaries::find()?;
    Ok(format!("{} in {}", found.version(), found.folder().display()))
}

fn client() -> Result<String> {
    Ok(Psql::find()?.program().display().to_string())
}
