//! A private server, wherever it came from.

use std::path::PathBuf;

use crate::HarnessError;
use crate::container::ContainerServer;
use crate::native_server::{NativeServer, Program};

/// A server that runs in a container or from programs on the machine.
#[derive(Debug)]
pub(crate) enum Server<P> {
    Native(NativeServer<P>),
    Container(ContainerServer),
}

impl<P: Program> Server<P> {
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Native(_) => "127.0.0.1",
            Self::Container(server) => server.host(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Native(server) => server.port(),
            Self::Container(server) => server.port(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Native(server) => server.pid(),
            Self::Container(server) => server.pid(),
        }
    }

    pub(crate) fn data_folder(&self) -> Option<PathBuf> {
        match self {
            Self::Native(server) => Some(server.data_folder()),
            Self::Container(_) => None,
        }
    }

    pub(crate) fn log_tail(&self) -> String {
        match self {
            Self::Native(server) => server.log_tail(),
            Self::Container(server) => server.log_tail(),
        }
    }

    pub(crate) fn kill(&mut self) -> Result<(), HarnessError> {
        match self {
            Self::Native(server) => server.kill(),
            Self::Container(server) => server.kill(),
        }
    }

    pub(crate) fn freeze(&self) -> Result<(), HarnessError> {
        match self {
            Self::Native(server) => server.freeze(),
            Self::Container(server) => server.freeze(),
        }
    }

    pub(crate) fn thaw(&self) {
        match self {
            Self::Native(server) => server.thaw(),
            Self::Container(server) => server.thaw(),
        }
    }

    pub(crate) fn stop(&mut self) -> Result<(), HarnessError> {
        match self {
            Self::Native(server) => server.stop(),
            Self::Container(server) => server.stop(),
        }
    }

    pub(crate) fn restart(&mut self) -> Result<(), HarnessError> {
        match self {
            Self::Native(server) => server.restart(),
            Self::Container(server) => server.restart(),
        }
    }
}
