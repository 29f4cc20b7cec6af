//! How the programs of MySQL and MariaDB make and run a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::mysql::{MysqlBinaries, MysqlFlavour, client, template};
use crate::native_server::Program;
use crate::{HarnessError, probe, programs};

/// The user that both make, without a password.
pub(crate) const USER: &str = "root";

/// A database to begin with, as Postgres has one.
pub(crate) const DATABASE: &str = "test";

const PID_FILE: &str = "server.pid";

/// Within the data folder; the path of a socket must be short.
const SOCKET: &str = "server.sock";

/// Statements that the server runs before it takes connections.
const INIT_FILE: &str = "init.sql";

/// The default of 100 MB is written out in full when the data folder is made.
const REDO_LOG: &str = "16M";

/// The programs of one version, and the settings to run them with.
#[derive(Debug)]
pub(crate) struct MysqlProgram {
    binaries: MysqlBinaries,
    settings: Vec<(String, String)>,
}

impl MysqlProgram {
    pub(crate) fn new(binaries: MysqlBinaries, settings: Vec<(String, String)>) -> Self {
        Self { binaries, settings }
    }

    fn fill(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        make_temporary_folder(identity, data)?;
        let mut command = match self.binaries.installer() {
            Some(installer) => {
                let mut command = Command::new(installer);
                command.args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    // Goes on where the machine's own name can't be looked up; nobody connects by it.
                    "--force",
                ]);
                command
            }
            None => {
                let mut command = Command::new(self.binaries.server());
                command.args(["--no-defaults", "--initialize-insecure", "--secure-file-priv="]);
                command
            }
        };
        command
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", temporary_folder(data).display()))
            .arg(self.redo_log())
            .current_dir(data)
            .env("LC_ALL", "C");
        client::without_mysql_variables(&mut command);
        programs::run_to_end("the initialisation of MySQL", identity.wrap(&command)?)?;
        let expected = data.join("mysql");
        if !expected.is_dir() {
            return Err(HarnessError::Missing(expected));
        }
        let init = data.join(INIT_FILE);
        fs::write(&init, format!("CREATE DATABASE IF NOT EXISTS {DATABASE};\n"))
            .map_err(HarnessError::io(format!("write {}", init.display())))
    }

    fn redo_log(&self) -> String {
        match self.binaries.flavour() {
            // 8.0.30 was the first to know it.
            MysqlFlavour::Mysql => format!("--loose-innodb-redo-log-capacity={REDO_LOG}"),
            MysqlFlavour::MariaDb => format!("--innodb-log-file-size={REDO_LOG}"),
        }
    }
}

impl Program for MysqlProgram {
    const NAME: &'static str = "MySQL";

    const STOP: Signal = Signal::SIGTERM;

    const USER: &'static str = "mysql";

    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        make_temporary_folder(identity, data)?;
        template::copy(self.binaries.server(), identity, data, |folder| {
            self.fill(identity, folder)
        })
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let mut server = Command::new(self.binaries.server());
        // It must be the first argument.
        server.arg("--no-defaults");
        for (name, value) in [("datadir", ""), ("pid-file", PID_FILE), ("init-file", INIT_FILE)] {
            server.arg(format!("--{name}={}", data.join(value).display()));
        }
        server
            .args([
                "--bind-address=127.0.0.1",
                "--skip-log-bin",
                "--secure-file-priv=",
            ])
            .arg(format!("--tmpdir={}", temporary_folder(data).display()))
            .arg(format!("--port={port}"))
            .arg(format!("--socket={SOCKET}"))
            .arg(self.redo_log());
        if self.binaries.flavour() == MysqlFlavour::Mysql {
            server.arg("--mysqlx=OFF");
        }
        for (name, value) in &self.settings {
            server.arg(format!("--{name}={value}"));
        }
        client::without_mysql_variables(&mut server);
        server
    }

    /// The pid file is written once the port is bound, and tells this server from a stranger there. A greeting comes
    /// when recovery and the statements of the start are through.
    fn is_ready(&self, data: &Path, port: u16, pid: u32) -> bool {
        let text = fs::read_to_string(data.join(PID_FILE)).unwrap_or_default();
        text.trim() == pid.to_string() && probe::mysql("127.0.0.1", port)
    }
}

/// A server that starts removes all temporary tables it finds in its folder for them, whoever made them: two that share
/// `/tmp` break each other. A folder within the data would be taken for a database.
fn temporary_folder(data: &Path) -> PathBuf {
    data.with_file_name("tmp")
}

fn make_temporary_folder(identity: &Identity, data: &Path) -> Result<(), HarnessError> {
    let folder = temporary_folder(data);
    fs::create_dir(&folder).map_err(HarnessError::io(format!("make {}", folder.display())))?;
    identity.own(&folder)
}
