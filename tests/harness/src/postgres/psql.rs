//! Runs statements through `psql`: the harness brings no database client of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::postgres::binaries;
use crate::{HarnessError, programs, url};

/// A wait for the connection longer than this means that there is no server.
const CONNECT_TIMEOUT_SECONDS: &str = "10";

/// Variables of libpq by which the user's own set-up would leak into the tests.
const LIBPQ_VARIABLES: [&str; 8] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGOPTIONS",
    "PGSERVICE",
    "PGDATA",
];

/// The client `psql`.
#[derive(Clone, Debug)]
pub struct Psql {
    program: PathBuf,
}

impl Psql {
    /// Looks in `PATH`, then in `/usr/lib/postgresql/*/bin`.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when it is nowhere.
    pub fn find() -> Result<Self, HarnessError> {
        Ok(Self {
            program: binaries::psql()?,
        })
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A command that connects to the URL, reads no start-up file, stops at the first error and prints bare values
    /// (unaligned, no headings). Add `-c` or `-f`.
    ///
    /// # Errors
    ///
    /// [`HarnessError::BadInput`] when it is no `postgres://` URL.
    pub fn command(&self, database_url: &str) -> Result<Command, HarnessError> {
        let (shown, password) = url::split_password(database_url)?;
        let mut command = Command::new(&self.program);
        without_libpq_variables(&mut command);
        command.env("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT_SECONDS);
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(shown);
        Ok(command)
    }

    /// Runs the statements and returns what they printed, one row a line, columns separated by `|`.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Failed`] with the server's answer.
    pub fn run(&self, database_url: &str, sql: &str) -> Result<String, HarnessError> {
        let mut command = self.command(database_url)?;
        command.arg("-c").arg(sql).stdin(Stdio::null());
        programs::run_to_end("psql", command)
    }
}

pub(crate) fn without_libpq_variables(command: &mut Command) {
    for name in LIBPQ_VARIABLES {
        command.env_remove(name);
    }
}
