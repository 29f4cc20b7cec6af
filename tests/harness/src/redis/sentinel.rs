//! How `redis-server` is run as a sentinel.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::HarnessError;
use crate::identity::Identity;
use crate::native_server::Program;
use crate::redis::RedisBinaries;
use crate::redis::program::{self, USER};

/// The sentinel keeps its notes in the file of its settings.
const SETTINGS: &str = "sentinel.conf";

/// The program, and what it is to watch.
#[derive(Debug)]
pub(super) struct SentinelProgram {
    binaries: RedisBinaries,
    settings: String,
}

impl SentinelProgram {
    /// Watches one master and decides alone, within a second or two: a test waits for it.
    pub(super) fn new(binaries: RedisBinaries, master: &str, port: u16) -> Self {
        let settings = format!(
            "sentinel monitor {master} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {master} 200\n\
             sentinel failover-timeout {master} 2000\n"
        );
        Self { binaries, settings }
    }
}

impl Program for SentinelProgram {
    const NAME: &'static str = "Redis Sentinel";

    const STOP: Signal = Signal::SIGTERM;

    const USER: &'static str = USER;

    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        program::make_folder(identity, data)?;
        let file = data.join(SETTINGS);
        fs::write(&file, &self.settings).map_err(HarnessError::io(format!("write {}", file.display())))?;
        identity.own(&file)
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let mut sentinel = Command::new(self.binaries.server());
        sentinel.arg(data.join(SETTINGS)).arg("--sentinel");
        program::listen(&mut sentinel, data, port);
        sentinel
    }

    fn is_ready(&self, _data: &Path, port: u16, pid: u32) -> bool {
        program::is_process(port, pid)
    }
}
