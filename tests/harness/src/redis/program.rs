//! How `redis-server` is run as a server.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::HarnessError;
use crate::identity::Identity;
use crate::native_server::Program;
use crate::redis::{RedisBinaries, RedisClient};

/// One that is there answers at once.
const ANSWERS_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// The user that Debian's packages make.
pub(super) const USER: &str = "redis";

/// The program, and the settings to run it with.
#[derive(Debug)]
pub(crate) struct RedisProgram {
    binaries: RedisBinaries,
    settings: Vec<(String, String)>,
}

impl RedisProgram {
    pub(crate) fn new(binaries: RedisBinaries, settings: Vec<(String, String)>) -> Self {
        Self { binaries, settings }
    }
}

impl Program for RedisProgram {
    const NAME: &'static str = "Redis";

    const STOP: Signal = Signal::SIGTERM;

    const USER: &'static str = USER;

    /// Nothing is written there but a cluster's own notes.
    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        make_folder(identity, data)
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let mut server = Command::new(self.binaries.server());
        listen(&mut server, data, port);
        server.args(["--save", "", "--appendonly", "no"]);
        for (name, value) in &self.settings {
            server.arg(format!("--{name}"));
            // The server quotes each argument: a value of several words must be several arguments.
            if value.trim().is_empty() {
                server.arg("");
            }
            server.args(value.split_whitespace());
        }
        server
    }

    fn is_ready(&self, _data: &Path, port: u16, pid: u32) -> bool {
        is_process(port, pid)
    }
}

pub(super) fn make_folder(identity: &Identity, data: &Path) -> Result<(), HarnessError> {
    fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
    identity.own(data)
}

/// On the loopback only, with its files in its folder and its log on its output.
pub(super) fn listen(server: &mut Command, data: &Path, port: u16) {
    server
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(data)
        .args(["--daemonize", "no"]);
}

/// Whether the process of this id, and not a predecessor or a stranger on its port, answers.
pub(super) fn is_process(port: u16, pid: u32) -> bool {
    let info = RedisClient::connect_within(&url(port), ANSWERS_WITHIN)
        .and_then(|mut client| client.run(&["INFO", "server"]))
        .unwrap_or_default();
    info.lines()
        .any(|line| line.trim() == format!("process_id:{pid}"))
}

pub(super) fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}
