//! A private RabbitMQ server.

use std::path::PathBuf;

use crate::HarnessError;
use crate::native_server::NativeServer;
use crate::rabbitmq::program::RabbitMqProgram;
use crate::rabbitmq::{RabbitMqBinaries, RabbitMqOptions};

/// A running server of one node, for one test to use and to harm, from the program on the machine. Listens on the loopback only, and
/// is gone with its data when the value is dropped or the test process ends.
#[derive(Debug)]
pub struct RabbitMq {
    server: NativeServer<RabbitMqProgram>,
    version: String,
}

impl RabbitMq {
    /// Starts a server, which takes seconds: tests that do it no harm share one
    /// ([`requirement::shared_rabbitmq_url`](crate::requirement::shared_rabbitmq_url)).
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or it doesn't come up; its log is quoted.
    pub fn start_with(options: &RabbitMqOptions) -> Result<Self, HarnessError> {
        let binaries = RabbitMqBinaries::find()?;
        let version = binaries.version().to_owned();
        let program = RabbitMqProgram::new(binaries, options.configuration.clone());
        Ok(Self {
            server: NativeServer::start(program, options.ready_within)?,
            version,
        })
    }

    /// `amqp://…`, with the user and the password that every server has at first.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.server.port())
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The server's folder.
    pub fn data_folder(&self) -> PathBuf {
        self.server.data_folder()
    }

    /// The version, such as `3.10.8`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Kills the server with SIGKILL and waits until it and its helpers are gone.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when a process outlives the signal.
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.server.kill()
    }

    /// Stops the server where it stands (SIGSTOP): connections stay open and nothing answers.
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
