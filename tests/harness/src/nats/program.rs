//! How `nats-server` is run as a server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::HarnessError;
use crate::identity::Identity;
use crate::native_server::Program;
use crate::nats::NatsBinaries;

/// One that is there answers at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// The program, and the lines of its configuration.
#[derive(Debug)]
pub(crate) struct NatsProgram {
    binaries: NatsBinaries,
    configuration: String,
}

impl NatsProgram {
    pub(crate) fn new(binaries: NatsBinaries, configuration: String) -> Self {
        Self {
            binaries,
            configuration,
        }
    }
}

impl Program for NatsProgram {
    const NAME: &'static str = "NATS";

    const STOP: Signal = Signal::SIGTERM;

    /// The user that Debian's package makes.
    const USER: &'static str = "nats";

    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
        let configuration = configuration(data);
        fs::write(&configuration, &self.configuration)
            .map_err(HarnessError::io(format!("write {}", configuration.display())))?;
        identity.own(&configuration)?;
        identity.own(data)
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let mut server = Command::new(self.binaries.server());
        server
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .arg("--config")
            .arg(configuration(data))
            .args(["--jetstream", "--store_dir"])
            .arg(data)
            .arg("--pid")
            .arg(pid_file(data));
        server
    }

    /// It writes its process id before it listens, and listens when JetStream has recovered.
    fn is_ready(&self, data: &Path, port: u16, pid: u32) -> bool {
        let written = fs::read_to_string(pid_file(data)).unwrap_or_default();
        written.trim() == pid.to_string() && greets(port)
    }
}

fn configuration(data: &Path) -> PathBuf {
    data.join("nats.conf")
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("pid")
}

/// Whether a server greets with what it is.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(stream) = TcpStream::connect_timeout(&address, ANSWERS_WITHIN) else {
        return false;
    };
    let mut line = String::new();
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).is_ok()
        && BufReader::new(stream).read_line(&mut line).is_ok()
        && line.starts_with("INFO ")
}
