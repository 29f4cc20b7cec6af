//! A private Redis server.

use std::path::PathBuf;

use crate::HarnessError;
use crate::container::protocol::Kind;
use crate::container::{ContainerImage, ContainerServer};
use crate::native_server::NativeServer;
use crate::redis::program::RedisProgram;
use crate::redis::{RedisBinaries, RedisClient, RedisOptions};
use crate::server::Server;

/// A running server, for one test to use and to harm. In a container where xtask found an engine, else from the program
/// on the machine. Listens on the loopback only, without a password, keeps nothing on disk, and is gone when the value
/// is dropped or the test process ends.
#[derive(Debug)]
pub struct Redis {
    server: Server<RedisProgram>,
    version: String,
}

impl Redis {
    /// Starts a server with the server's own defaults.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or it doesn't come up; its log is quoted.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&RedisOptions::new())
    }

    /// Starts a server with settings.
    ///
    /// # Errors
    ///
    /// As [`Self::start`]; a setting that the server refuses is named in its log.
    pub fn start_with(options: &RedisOptions) -> Result<Self, HarnessError> {
        let container = options.container.clone();
        if let Some(image) = container.or_else(|| ContainerImage::chosen(Kind::Redis)) {
            let server =
                ContainerServer::start(Kind::Redis, &image, &options.settings, options.ready_within)?;
            return Ok(Self {
                server: Server::Container(server),
                version: format!("{} in a container", image.image),
            });
        }
        let binaries = RedisBinaries::find()?;
        let version = binaries.version().to_owned();
        let program = RedisProgram::new(binaries, options.settings.clone());
        Ok(Self {
            server: Server::Native(NativeServer::start(program, options.ready_within)?),
            version,
        })
    }

    /// `redis://…`
    pub fn url(&self) -> String {
        format!("redis://{}:{}/", self.server.host(), self.port())
    }

    /// A connection of the harness's own.
    ///
    /// # Errors
    ///
    /// When the server doesn't answer.
    pub fn client(&self) -> Result<RedisClient, HarnessError> {
        RedisClient::connect(&self.url())
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Process id of the server, on the engine's machine when it is in a container; changes with a restart.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The server's folder; `None` when it is in a container.
    pub fn data_folder(&self) -> Option<PathBuf> {
        self.server.data_folder()
    }

    /// What the server says of itself, such as `Redis server v=7.0.15 sha=00000000:0 …`; its image when it is in a
    /// container.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Kills the server with SIGKILL and waits until it is gone, and with it all that it held.
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

    /// Shuts the server down in order.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when it takes longer than a minute.
    pub fn stop(&mut self) -> Result<(), HarnessError> {
        self.server.stop()
    }

    /// Starts the server again on the same port, empty, and waits until it answers. One that still runs is shut down
    /// first.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        self.server.restart()
    }
}
