//! Makes the servers available that tests need.

mod mysql;
mod postgres;

use std::path::Path;

use anyhow::Result;
use outbox_test_harness::mysql::without_password;
use outbox_test_harness::requirement::{LeftOut, Source};
use outbox_test_harness::{HarnessError, Mysql, Postgres};

use crate::apt;

pub(crate) use mysql::private_mysql;
pub(crate) use postgres::private_postgres;

/// The servers of one test run; they end with this value.
#[derive(Debug)]
pub(crate) struct Servers {
    postgres: Shared<Postgres>,
    mysql: Shared<Mysql>,
}

impl Servers {
    /// Finds or starts what there is, says what it uses, and installs what is missing if it may. What can't be had is
    /// no error here: the tests that need it write down that they were left out.
    pub(crate) fn provide() -> Result<Self> {
        postgres::install_missing();
        mysql::install_missing();
        println!("Servers:");
        Ok(Self {
            postgres: postgres::provide()?,
            mysql: mysql::provide()?,
        })
    }

    /// Where tests that share a server find it, by environment variable.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [self.postgres.url(), self.mysql.url()].into_iter().flatten()
    }
}

/// A server that tests share.
#[derive(Debug)]
struct Shared<S> {
    variable: &'static str,
    url: Option<String>,
    _started: Option<S>,
}

impl<S> Shared<S> {
    fn url(&self) -> Option<(&'static str, &str)> {
        Some((self.variable, self.url.as_deref()?))
    }
}

/// How one kind of server becomes a shared one.
struct Kind<'a, S> {
    /// For people.
    name: &'a str,
    /// Where its URL goes.
    variable: &'static str,
    /// Starts one; returns its version and URL too.
    start: &'a dyn Fn() -> Result<(S, String, String)>,
    /// Whether tests could use the server of that URL.
    check: &'a dyn Fn(&str) -> Result<()>,
}

impl<S> Kind<'_, S> {
    /// A server that the user named must work: falling back to another one would hide the mistake.
    fn share<B>(&self, source: Result<Source<B>, LeftOut>) -> Result<Shared<S>> {
        let (url, started) = match source {
            Ok(Source::Url(url)) => {
                println!(
                    "  {}: {}, from {}",
                    self.name,
                    without_password(&url),
                    self.variable
                );
                (self.check)(&url)?;
                (Some(url), None)
            }
            Ok(Source::Native(_)) => {
                let (server, version, url) = (self.start)()?;
                println!("  {}: {version}, started for this run at {url}", self.name);
                (Some(url), Some(server))
            }
            Ok(_) => anyhow::bail!("a source of {} that xtask doesn't know", self.name),
            Err(missing) => {
                println!("  {}: none; {}", self.name, missing.reason);
                (None, None)
            }
        };
        Ok(Shared {
            variable: self.variable,
            url,
            _started: started,
        })
    }
}

fn say_client(name: &str, found: Result<&Path, &HarnessError>) {
    match found {
        Ok(program) => println!("  {name}: {}", program.display()),
        Err(error) => println!("  {name}: none; {error}"),
    }
}

/// What a test gets that wants to harm its server.
fn say_private(name: &str, found: Result<(&str, &Path), &HarnessError>) {
    match found {
        Ok((version, place)) => println!("  {name} that tests may kill: {version} in {}", place.display()),
        Err(error) => println!("  {name} that tests may kill: none; {error}"),
    }
}

// Speaks on standard error: the standard output of `with-postgres` is that of its command.
fn install(name: &str, packages: &[&str]) {
    if let Some(obstacle) = apt::obstacle() {
        eprintln!(
            "{name}'s programs are missing; {obstacle}: install {} yourself.",
            packages.join(" and ")
        );
    } else if let Err(error) = apt::install(packages) {
        // Not the end: what is missing now is listed as left out, and with REQUIRE_ALL=1 that fails the run.
        eprintln!("{name} could not be installed: {error:#}");
    }
}
