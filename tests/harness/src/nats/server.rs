//! A private NATS server.

use std::path::PathBuf;

use crate::HarnessError;
use crate::native_server::NativeServer;
use crate::nats::program::NatsProgram;
use crate::nats::{NatsBinaries, NatsOptions};

/// A running server with JetStream, for one test to use and to harm, from the program on the machine. Listens on the loopback
/// only, and is gone with its data when the value is dropped or the test process ends.
#[derive(Debug)]
pub struct Nats {
    server: NativeServer<NatsProgram>,
    version: String,
}

impl Nats {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or it doesn't come up; its log is quoted.
    pub fn start_with(options: &NatsOptions) -> Result<Self, HarnessError> {
        let binaries = NatsBinaries::find()?;
        let version = binaries.version().to_owned();
        let program = NatsProgram::new(binaries, options.configuration.clone());
        Ok(Self {
            server: NativeServer::start(program, options.ready_within)?,
            version,
        })
    }

    /// `nats://…`
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.server.port())
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The server's folder.
    pub fn data_folder(&self) -> PathBuf {
        self.server.data_folder()
    }

    /// What the server says of itself, such as `nats-server: v2.9.10`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Kills the server with SIGKILL and waits until it is gone.
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

    /// Starts the server again on the same port with the same data, and waits until it answers. One that still runs is shut down
    /// first.
    ///
    /// # Errors
    ///
    /// As [`Self::start_with`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        self.server.restart()
    }
}
