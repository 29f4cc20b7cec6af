//! A private PostgreSQL server in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::postgres::{PostgresBinaries, PostgresOptions, Psql, database, psql};
use crate::{ChildProcess, HarnessError, Scratch, port};

/// The superuser that `initdb` makes.
const USER: &str = "postgres";

/// Another process may take the port between the look and the start.
const PORT_TRIES: usize = 5;

const READY_POLL: Duration = Duration::from_millis(2);

/// How long a fast shutdown may take; it writes a checkpoint.
const STOP_WITHIN: Duration = Duration::from_secs(60);

/// A running server, for one test to use and to harm. Listens on 127.0.0.1 only, trusts everyone, and is gone with
/// its data when the value is dropped or the test process ends.
#[derive(Debug)]
pub struct Postgres {
    // Dropped, and with that killed, before the folder goes.
    process: ChildProcess,
    binaries: PostgresBinaries,
    identity: Identity,
    options: PostgresOptions,
    port: u16,
    scratch: Arc<Scratch>,
}

impl Postgres {
    /// Starts a server with PostgreSQL's defaults.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or it doesn't come up; its log is quoted.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&PostgresOptions::new())
    }

    /// Starts a server with settings.
    ///
    /// # Errors
    ///
    /// As [`Self::start`]; a setting that the server refuses is named in its log.
    pub fn start_with(options: &PostgresOptions) -> Result<Self, HarnessError> {
        let binaries = PostgresBinaries::find()?;
        let identity = Identity::for_servers()?;
        let scratch = Arc::new(Scratch::new()?);
        initialise(&binaries, &identity, &data_folder(&scratch))?;
        let mut tries_left = PORT_TRIES;
        loop {
            tries_left -= 1;
            let port = port::free_port()?;
            let process = launch(&binaries, &identity, options, port, &scratch)?;
            let mut server = Self {
                process,
                binaries: binaries.clone(),
                identity: identity.clone(),
                options: options.clone(),
                port,
                scratch: Arc::clone(&scratch),
            };
            match server.wait_ready() {
                Ok(()) => return Ok(server),
                Err(error) if tries_left > 0 && is_port_taken(&error) => drop(server),
                Err(error) => return Err(error),
            }
        }
    }

    /// URL of the server's own database `postgres`.
    pub fn url(&self) -> String {
        self.database_url(USER)
    }

    /// URL of a database by name, whether or not it exists.
    pub fn database_url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    ///
    /// When `psql` is missing or the server refuses.
    pub fn create_database(&self, name: &str) -> Result<String, HarnessError> {
        database::create(&Psql::find()?, &self.url(), name)
    }

    /// The port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id of the postmaster; changes with a restart.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The data folder.
    pub fn data_folder(&self) -> PathBuf {
        data_folder(&self.scratch)
    }

    /// What the server says of itself, such as `postgres (PostgreSQL) 15.18`.
    pub fn version(&self) -> &str {
        self.binaries.version()
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Kills the postmaster and all its backends with SIGKILL at one moment, and waits until they are gone. The data
    /// folder stays as it is; see [`Self::restart`].
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when a process outlives the signal.
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.process.kill9()
    }

    /// Stops every process of the server where it stands (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when a process doesn't stop.
    pub fn freeze(&self) -> Result<(), HarnessError> {
        self.process.freeze()
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Shuts the server down in order ("fast": open transactions are rolled back).
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when it takes longer than a minute.
    pub fn stop(&mut self) -> Result<(), HarnessError> {
        self.process.thaw();
        self.process.signal(Signal::SIGINT)?;
        self.process.wait_timeout(STOP_WITHIN).map(drop)
    }

    /// Starts the server again on the same data and the same port, and waits until it has recovered and answers. One
    /// that still runs is shut down first.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        if self.process.try_wait()?.is_none() {
            self.stop()?;
        }
        self.process = launch(
            &self.binaries,
            &self.identity,
            &self.options,
            self.port,
            &self.scratch,
        )?;
        self.wait_ready()
    }

    /// The postmaster writes "ready" as the eighth line of its pid file once it takes connections; `pg_ctl -w` waits
    /// for the same. The first line tells it from the file of a killed predecessor.
    fn wait_ready(&mut self) -> Result<(), HarnessError> {
        let pid_file = self.data_folder().join("postmaster.pid");
        let pid = self.pid().to_string();
        let deadline = Instant::now() + self.options.ready_within;
        loop {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = text.lines().map(str::trim);
            if lines.next() == Some(&pid) && lines.nth(6) == Some("ready") {
                return Ok(());
            }
            let (what, log_tail) = (format!("PostgreSQL on port {}", self.port), self.log_tail());
            if let Some(status) = self.process.try_wait()? {
                return Err(HarnessError::EndedEarly {
                    what,
                    status,
                    log_tail,
                });
            }
            if Instant::now() >= deadline {
                return Err(HarnessError::NotReady {
                    what,
                    waited: self.options.ready_within,
                    log_tail,
                });
            }
            std::thread::sleep(READY_POLL);
        }
    }
}

fn data_folder(scratch: &Scratch) -> PathBuf {
    scratch.path().join("data")
}

/// `--no-sync` concerns the files of the empty cluster only; the running server syncs as usual.
fn initialise(binaries: &PostgresBinaries, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
    fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
    identity.own(data)?;
    let mut initdb = Command::new(binaries.program("initdb"));
    initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    initdb
        .arg(format!("--username={USER}"))
        .arg("-D")
        .arg(data)
        .current_dir(data)
        .env("LC_ALL", "C");
    psql::without_libpq_variables(&mut initdb);
    psql::run_to_end("initdb", identity.wrap(&initdb)?)?;
    let expected = data.join("PG_VERSION");
    if expected.is_file() {
        Ok(())
    } else {
        Err(HarnessError::Missing(expected))
    }
}

fn launch(
    binaries: &PostgresBinaries,
    identity: &Identity,
    options: &PostgresOptions,
    port: u16,
    scratch: &Arc<Scratch>,
) -> Result<ChildProcess, HarnessError> {
    let data = data_folder(scratch);
    let mut server = Command::new(binaries.program("postgres"));
    server.arg("-D").arg(&data).current_dir(&data).env("LC_ALL", "C");
    psql::without_libpq_variables(&mut server);
    let ours = [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("port", &port.to_string()),
    ];
    for (name, value) in ours {
        server.arg("-c").arg(format!("{name}={value}"));
    }
    for (name, value) in &options.settings {
        server.arg("-c").arg(format!("{name}={value}"));
    }
    ChildProcess::spawn_as(&server, identity, scratch)
}

fn is_port_taken(error: &HarnessError) -> bool {
    matches!(error, HarnessError::EndedEarly { log_tail, .. } if log_tail.contains("Address already in use"))
}
