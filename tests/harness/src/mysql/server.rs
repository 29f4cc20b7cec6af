//! A private MySQL or MariaDB server.

use std::path::PathBuf;

use crate::HarnessError;
use crate::container::protocol::Kind;
use crate::container::{ContainerImage, ContainerServer};
use crate::mysql::program::{DATABASE, MysqlProgram, USER};
use crate::mysql::{MysqlBinaries, MysqlClient, MysqlFlavour, MysqlOptions, database};
use crate::native_server::NativeServer;
use crate::server::Server;

/// A running server, for one test to use and to harm. In a container where xtask found an engine, else from programs on
/// the machine. Listens on the loopback only, lets `root` in without a password, and is gone with its data when the
/// value is dropped or the test process ends.
#[derive(Debug)]
pub struct Mysql {
    server: Server<MysqlProgram>,
    flavour: MysqlFlavour,
    version: String,
}

impl Mysql {
    /// Starts a server with the server's own defaults.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or it doesn't come up; its log is quoted.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&MysqlOptions::new())
    }

    /// Starts a server with settings.
    ///
    /// # Errors
    ///
    /// As [`Self::start`]; a setting that the server refuses is named in its log.
    pub fn start_with(options: &MysqlOptions) -> Result<Self, HarnessError> {
        let container = options.container.clone();
        if let Some(image) = container.or_else(|| ContainerImage::chosen(Kind::Mysql)) {
            let server =
                ContainerServer::start(Kind::Mysql, &image, &options.settings, options.ready_within)?;
            return Ok(Self {
                flavour: MysqlFlavour::of_image(server.image()),
                version: format!("{} in a container", image.image),
                server: Server::Container(server),
            });
        }
        let binaries = MysqlBinaries::find()?;
        let (flavour, version) = (binaries.flavour(), binaries.version().to_owned());
        let program = MysqlProgram::new(binaries, options.settings.clone());
        Ok(Self {
            server: Server::Native(NativeServer::start(program, options.ready_within)?),
            flavour,
            version,
        })
    }

    /// URL of the database `test`, which is there from the start.
    pub fn url(&self) -> String {
        self.database_url(DATABASE)
    }

    /// URL of a database by name, whether or not it exists.
    pub fn database_url(&self, database: &str) -> String {
        format!("mysql://{USER}@{}:{}/{database}", self.server.host(), self.port())
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    ///
    /// When there is no client program or the server refuses.
    pub fn create_database(&self, name: &str) -> Result<String, HarnessError> {
        database::create(&MysqlClient::find()?, &self.url(), name)
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Process id of the server, on the engine's machine when it is in a container; changes with a restart.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The data folder; `None` when it is in a container.
    pub fn data_folder(&self) -> Option<PathBuf> {
        self.server.data_folder()
    }

    /// Whether it is MySQL or MariaDB.
    pub fn flavour(&self) -> MysqlFlavour {
        self.flavour
    }

    /// What the server says of itself, such as `mariadbd  Ver 10.11.19-MariaDB for Linux on x86_64`; its image when it is
    /// in a container.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Kills the server with SIGKILL and waits until it is gone. The data folder stays as it is; see
    /// [`Self::restart`].
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when the process outlives the signal.
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.server.kill()
    }

    /// Stops the server where it stands (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when the process doesn't stop.
    pub fn freeze(&self) -> Result<(), HarnessError> {
        self.server.freeze()
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.server.thaw();
    }

    /// Shuts the server down in order: open transactions are rolled back.
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
