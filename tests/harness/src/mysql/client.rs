//! Runs statements through `mariadb` or `mysql`: the harness brings no database client of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::mysql::binaries;
use crate::url::{self, Address};
use crate::{HarnessError, programs};

/// A wait for the connection longer than this means that there is no server.
const CONNECT_TIMEOUT_SECONDS: &str = "10";

/// Variables of the client library and the server by which the user's own set-up would leak into the tests.
const MYSQL_VARIABLES: [&str; 6] = [
    "MYSQL_HOST",
    "MYSQL_TCP_PORT",
    "MYSQL_UNIX_PORT",
    "MYSQL_PWD",
    "MYSQL_HOME",
    "MARIADB_HOME",
];

/// The client `mariadb`, or `mysql`.
#[derive(Clone, Debug)]
pub struct MysqlClient {
    program: PathBuf,
}

impl MysqlClient {
    /// Looks where the server is looked for, then in `PATH`.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when it is nowhere.
    pub fn find() -> Result<Self, HarnessError> {
        Ok(Self {
            program: binaries::client()?,
        })
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A command that connects to the URL, reads no start-up file, stops at the first error and prints bare values
    /// (no headings, no frames). Add `-e`, or give it statements as its input.
    ///
    /// # Errors
    ///
    /// [`HarnessError::BadInput`] when it is no `mysql://` or `mariadb://` URL.
    pub fn command(&self, database_url: &str) -> Result<Command, HarnessError> {
        let address = Address::of(database_url, url::MYSQL)?;
        let mut command = Command::new(&self.program);
        without_mysql_variables(&mut command);
        command
            .args(["--no-defaults", "--batch", "--raw", "--skip-column-names"])
            // `localhost` would mean the socket.
            .args(["--protocol=TCP", "--default-character-set=utf8mb4"])
            // Test servers sign their own certificates. MySQL's client doesn't know this one and doesn't mind them.
            .arg("--loose-ssl-verify-server-cert=0")
            .arg(format!("--connect-timeout={CONNECT_TIMEOUT_SECONDS}"))
            .arg(format!("--host={}", address.host));
        let optional = [
            ("port", address.port),
            ("user", address.user),
            ("database", address.database),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                command.arg(format!("--{name}={value}"));
            }
        }
        // Arguments can be read by everybody on the machine, the environment can't.
        if let Some(password) = address.password {
            command.env("MYSQL_PWD", password);
        }
        Ok(command)
    }

    /// Runs the statements and returns what they printed, one row a line, columns separated by tabs.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Failed`] with the server's answer.
    pub fn run(&self, database_url: &str, sql: &str) -> Result<String, HarnessError> {
        let mut command = self.command(database_url)?;
        command.arg("-e").arg(sql).stdin(Stdio::null());
        programs::run_to_end("mysql", command)
    }
}

pub(crate) fn without_mysql_variables(command: &mut Command) {
    for name in MYSQL_VARIABLES {
        command.env_remove(name);
    }
}
