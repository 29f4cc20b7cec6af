//! The tests of servers against each version of each server.

use std::path::Path;
use std::process::ExitStatus;

use anyhow::Result;
use outbox_test_harness::container::protocol::Kind;

use crate::cargo_test::{self, Counts};
use crate::cli::TestArguments;
use crate::images::Images;
use crate::left_out::{EVERY_TEST, LeftOut};
use crate::servers::Servers;
use crate::test_command;

/// The packages whose tests ask a database something that depends on its version.
const DATABASE_PACKAGES: &[&str] = &["outbox-tests", "outbox-sqlx", "outbox-test-harness"];

/// Those whose tests ask Redis.
const REDIS_PACKAGES: &[&str] = &["idempotency", "outbox-test-harness"];

/// What came of all versions.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) failed: Vec<String>,
    pub(crate) left_out: LeftOut,
}

/// Goes through all versions but the one that the plain run had, adding to its counts.
pub(crate) fn run(
    arguments: &TestArguments,
    servers: &Servers,
    list: &Path,
    counts: &mut Counts,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for kind in [Kind::Postgres, Kind::Mysql, Kind::Redis] {
        for image in Images::of(kind)?.matrix {
            if servers.image(kind) == Some(image.as_str()) {
                continue;
            }
            match version(arguments, servers, list, (kind, &image), counts)? {
                Ok(status) if status.success() => {}
                Ok(_) => outcome.failed.push(image),
                Err(reason) => outcome.left_out.add(&image, EVERY_TEST, &reason),
            }
        }
    }
    Ok(outcome)
}

/// Runs one version; the inner error says why it can't be had.
fn version(
    arguments: &TestArguments,
    servers: &Servers,
    list: &Path,
    (kind, image): (Kind, &str),
    counts: &mut Counts,
) -> Result<Result<ExitStatus, String>> {
    let server = match servers.in_place_of(kind, image) {
        Ok(server) => server,
        Err(error) => return Ok(Err(format!("{error:#}"))),
    };
    println!("\nMatrix: {image}");
    let packages = if arguments.packages.is_empty() {
        packages(kind).iter().map(|name| (*name).to_owned()).collect()
    } else {
        arguments.packages.clone()
    };
    let mut command = test_command::cargo_test(&packages);
    test_command::environment(&mut command, arguments, servers, list);
    // Later ones win.
    command.envs(server.environment());
    command.arg("--").args(&arguments.filters);
    for other in others(kind) {
        command.args(["--skip", other]);
    }
    command.args(&arguments.test_arguments);
    let (status, more) = cargo_test::run(command)?;
    counts.add(more);
    Ok(Ok(status))
}

fn packages(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres | Kind::Mysql => DATABASE_PACKAGES,
        Kind::Redis => REDIS_PACKAGES,
    }
}

/// What the names of tests of other servers have in them.
fn others(kind: Kind) -> [&'static str; 3] {
    match kind {
        Kind::Postgres => ["sqlite", "mysql", "redis"],
        Kind::Mysql => ["sqlite", "postgres", "redis"],
        Kind::Redis => ["sqlite", "postgres", "mysql"],
    }
}
