//! How `rabbitmq-server` is run as a server.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::native_server::Program;
use crate::rabbitmq::{RabbitMqBinaries, home};
use crate::{HarnessError, port};

/// One that is there answers at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Goes to standard output, so that the end of the log is there to be quoted.
const LOGGING: &str = "log.file = false\nlog.console = true\n";

/// What a client says first: AMQP 0-9-1.
const PROTOCOL: &[u8] = b"AMQP\x00\x00\x09\x01";

/// The first byte of what a server says first, a method.
const METHOD: u8 = 1;

/// The program, and the lines of its configuration.
#[derive(Debug)]
pub(crate) struct RabbitMqProgram {
    binaries: RabbitMqBinaries,
    configuration: String,
}

impl RabbitMqProgram {
    pub(crate) fn new(binaries: RabbitMqBinaries, configuration: String) -> Self {
        Self {
            binaries,
            configuration,
        }
    }

    fn fill(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        // Nobody is to join it; without a file of its own it would make one in the user's folder.
        let cookie = data.join(".erlang.cookie");
        let files = [
            (cookie.clone(), "ofthistestalone".to_owned()),
            (configuration(data), format!("{LOGGING}{}", self.configuration)),
            (data.join("enabled_plugins"), "[].\n".to_owned()),
            // The machine's own settings are not for this server.
            (data.join("rabbitmq-env.conf"), String::new()),
        ];
        for (path, text) in files {
            fs::write(&path, text).map_err(HarnessError::io(format!("write {}", path.display())))?;
            identity.own(&path)?;
        }
        fs::set_permissions(&cookie, Permissions::from_mode(0o400))
            .map_err(HarnessError::io(format!("protect {}", cookie.display())))?;
        home::link(self.binaries.home(), &data.join("home"))
    }
}

impl Program for RabbitMqProgram {
    const NAME: &'static str = "RabbitMQ";

    const STOP: Signal = Signal::SIGTERM;

    const USER: &'static str = "rabbitmq";

    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
        self.fill(identity, data)?;
        identity.own(data)
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let scripts = home::scripts(&data.join("home"));
        let mut server = Command::new(scripts.join("rabbitmq-server"));
        // None is free: then the server is the one to say so.
        let distribution = port::free_port().unwrap_or(port);
        server
            .env("HOME", data)
            .env("RABBITMQ_SCRIPTS_DIR", scripts)
            // Becomes the server, in place of a shell that waits for it.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env_remove("NOTIFY_SOCKET")
            // A node that has its name before the server boots, and its port by itself, needs no daemon that knows the ports of
            // nodes (epmd). That one would outlive the server.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!(
                    "-sname test@localhost -start_epmd false -erl_epmd_port {distribution} \
                     -kernel inet_dist_use_interface {{127,0,0,1}}"
                ),
            )
            .env("RABBITMQ_NODENAME", "test@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_MNESIA_BASE", data.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", data.join("log"))
            .env("RABBITMQ_CONFIG_FILE", configuration(data))
            .env("RABBITMQ_CONF_ENV_FILE", data.join("rabbitmq-env.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", data.join("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", pid_file(data));
        server
    }

    /// It writes its process id early, and listens when everything else is done.
    fn is_ready(&self, data: &Path, port: u16, pid: u32) -> bool {
        let written = fs::read_to_string(pid_file(data)).unwrap_or_default();
        written.trim() == pid.to_string() && greets(port)
    }
}

fn configuration(data: &Path) -> PathBuf {
    data.join("rabbitmq.conf")
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("pid")
}

/// Whether a server takes part in the protocol.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, ANSWERS_WITHIN) else {
        return false;
    };
    let mut first = [0];
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).is_ok()
        && stream.write_all(PROTOCOL).is_ok()
        && stream.read_exact(&mut first).is_ok()
        && first == [METHOD]
}
