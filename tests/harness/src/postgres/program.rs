//! How PostgreSQL's programs make and run a server.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::native_server::Program;
use crate::postgres::{PostgresBinaries, psql};
use crate::{HarnessError, programs};

/// The superuser that `initdb` makes.
pub(crate) const USER: &str = "postgres";

/// The programs of one version, and the settings to run them with.
#[derive(Debug)]
pub(crate) struct PostgresProgram {
    binaries: PostgresBinaries,
    settings: Vec<(String, String)>,
}

impl PostgresProgram {
    pub(crate) fn new(binaries: PostgresBinaries, settings: Vec<(String, String)>) -> Self {
        Self { binaries, settings }
    }
}

impl Program for PostgresProgram {
    const NAME: &'static str = "PostgreSQL";

    /// A "fast" shutdown; see `pg_ctl stop`.
    const STOP: Signal = Signal::SIGINT;

    const USER: &'static str = "postgres";

    /// `--no-sync` concerns the files of the empty cluster only; the running server syncs as usual.
    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
        identity.own(data)?;
        let mut initdb = Command::new(self.binaries.program("initdb"));
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        initdb
            .arg(format!("--username={USER}"))
            .arg("-D")
            .arg(data)
            .current_dir(data)
            .env("LC_ALL", "C");
        psql::without_libpq_variables(&mut initdb);
        programs::run_to_end("initdb", identity.wrap(&initdb)?)?;
        let expected = data.join("PG_VERSION");
        if expected.is_file() {
            Ok(())
        } else {
            Err(HarnessError::Missing(expected))
        }
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let mut server = Command::new(self.binaries.program("postgres"));
        server.arg("-D").arg(data);
        psql::without_libpq_variables(&mut server);
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("port", &port.to_string()),
        ];
        for (name, value) in ours {
            server.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.settings {
            server.arg("-c").arg(format!("{name}={value}"));
        }
        server
    }

    /// The postmaster writes "ready" as the eighth line of its pid file once it takes connections; `pg_ctl -w` waits
    /// for the same. The first line tells it from the file of a killed predecessor.
    fn is_ready(&self, data: &Path, _port: u16, pid: u32) -> bool {
        let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
    }
}
