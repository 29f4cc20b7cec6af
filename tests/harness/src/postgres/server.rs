//! A private PostgreSQL server.

use std::path::PathBuf;

use crate::HarnessError;
use crate::container::protocol::Kind;
use crate::container::{ContainerImage, ContainerServer};
use crate::native_server::NativeServer;
use crate::postgres::program::{PostgresProgram, USER};
use crate::postgres::{PostgresBinaries, PostgresOptions, Psql, database};
use crate::server::Server;

/// A running server, for one test to use and to harm. In a container where xtask found an engine, else from programs on
/// the machine. Listens on the loopback only, trusts everyone, and is gone with its data when the value is dropped or
/// the test process ends.
#[derive(Debug)]
pub struct Postgres {
    server: Server<PostgresProgram>,
    version: String,
}

impl Postgres {
    /// Starts a server with PostgreSQL's defaults.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or it doesn't come up; its log is quoted.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&PostgresOptions::new())
    }

    /// Starts a server with settings.
    ///
    /// # Errors
    ///
    /// As [`Self::start`]; a setting that the server refuses is named in its log.
    pub fn start_with(options: &PostgresOptions) -> Result<Self, HarnessError> {
        let container = options.container.clone();
        if let Some(image) = container.or_else(|| ContainerImage::chosen(Kind::Postgres)) {
            let server =
                ContainerServer::start(Kind::Postgres, &image, &options.settings, options.ready_within)?;
            return Ok(Self {
                server: Server::Container(server),
                version: format!("{} in a container", image.image),
            });
        }
        let binaries = PostgresBinaries::find()?;
        let version = binaries.version().to_owned();
        let program = PostgresProgram::new(binaries, options.settings.clone());
        Ok(Self {
            server: Server::Native(NativeServer::start(program, options.ready_within)?),
            version,
        })
    }

    /// URL of the server's own database `postgres`.
    pub fn url(&self) -> String {
        self.database_url(USER)
    }

    /// URL of a database by name, whether or not it exists.
    pub fn database_url(&self, database: &str) -> String {
        format!(
            "postgres://{USER}@{}:{}/{database}",
            self.server.host(),
            self.port()
        )
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    ///
    /// When `psql` is missing or the server refuses.
    pub fn create_database(&self, name: &str) -> Result<String, HarnessError> {
        database::create(&Psql::find()?, &self.url(), name)
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Process id of the postmaster, on the engine's machine when it is in a container; changes with a restart.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The data folder; `None` when it is in a container.
    pub fn data_folder(&self) -> Option<PathBuf> {
        self.server.data_folder()
    }

    /// What the server says of itself, such as `postgres (PostgreSQL) 15.18`; its image when it is in a container.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Kills the postmaster and all its backends with SIGKILL at one moment, and waits until they are gone. The data
    /// folder stays as it is; see [`Self::restart`].
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when a process outlives the signal.
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.server.kill()
    }

    /// Stops every process of the server where it stands (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when a process doesn't stop.
    pub fn freeze(&self) -> Result<(), HarnessError> {
        self.server.freeze()
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.server.thaw();
    }

    /// Shuts the server down in order ("fast": open transactions are rolled back).
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when it takes longer than a minute.
    pub fn stop(&mut self) -> Result<(), HarnessError> {
        self.server.stop()
    }

    /// Starts the server again on the same data and the same port, and waits until it has recovered and answers. One
    /// that still runs is shut down first.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        self.server.restart()
    }
}
