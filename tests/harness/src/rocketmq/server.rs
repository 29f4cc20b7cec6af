//! A private RocketMQ.

use std::path::PathBuf;

use crate::HarnessError;
use crate::native_server::NativeServer;
use crate::rocketmq::program::RocketMqProgram;
use crate::rocketmq::{RocketMqBinaries, RocketMqOptions};

/// A running server, from the jars on the machine. Listens on the loopback only, and is gone with its data when the value is
/// dropped or the test process ends.
#[derive(Debug)]
pub struct RocketMq {
    server: NativeServer<RocketMqProgram>,
}

impl RocketMq {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When there are no jars or no Java on the machine, or it doesn't come up; its log is quoted.
    pub fn start_with(options: &RocketMqOptions) -> Result<Self, HarnessError> {
        let program = RocketMqProgram::new(RocketMqBinaries::find()?, options);
        Ok(Self {
            server: NativeServer::start(program, options.ready_within)?,
        })
    }

    /// `rocketmq://…`, of the name server.
    pub fn url(&self) -> String {
        format!("rocketmq://127.0.0.1:{}", self.port())
    }

    /// The name server's port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.server.program().ports().name_server
    }

    /// The port of the proxy that speaks gRPC; as [`Self::port`].
    pub fn proxy_port(&self) -> u16 {
        self.server.port()
    }

    /// The broker's port; as [`Self::port`].
    pub fn broker_port(&self) -> u16 {
        self.server.program().ports().broker
    }

    /// The process of the server.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The server's folder.
    pub fn data_folder(&self) -> PathBuf {
        self.server.data_folder()
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

    /// Shuts the server down in order, and waits until it is gone: some ten seconds.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when it takes too long.
    pub fn stop(&mut self) -> Result<(), HarnessError> {
        self.server.stop()
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
