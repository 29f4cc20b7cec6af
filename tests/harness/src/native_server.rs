//! A private server from programs on this machine: what PostgreSQL, MySQL, Redis and the message brokers have in common.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::{ChildProcess, HarnessError, Scratch, port};

/// Another process may take the port between the look and the start.
const PORT_TRIES: usize = 5;

const READY_POLL: Duration = Duration::from_millis(2);

/// How long a shutdown in order may take; it writes what is in memory to disk.
const STOP_WITHIN: Duration = Duration::from_secs(60);

/// What differs between servers.
pub(crate) trait Program: Debug {
    /// For people.
    const NAME: &'static str;

    /// Asks for a shutdown that doesn't wait for clients.
    const STOP: Signal;

    /// The user to run it as when the tests run as root.
    const USER: &'static str;

    /// Fills the data folder, which isn't there yet.
    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError>;

    /// Chooses and writes down what it listens on beside the port of clients: before the first start, and again when one of the
    /// ports was taken. Most have one port.
    fn choose_ports(&mut self, _identity: &Identity, _data: &Path) -> Result<(), HarnessError> {
        Ok(())
    }

    /// Runs the server on 127.0.0.1 in the foreground.
    fn command(&self, data: &Path, port: u16) -> Command;

    /// Whether this very process, and not a predecessor or a stranger on its port, takes connections.
    fn is_ready(&self, data: &Path, port: u16, pid: u32) -> bool;
}

/// A running server, its data and its port. Gone with its data when the value is dropped or the test process ends.
#[derive(Debug)]
pub(crate) struct NativeServer<P> {
    // Dropped, and with that killed, before the folder goes.
    process: ChildProcess,
    program: P,
    identity: Identity,
    port: u16,
    ready_within: Duration,
    scratch: Arc<Scratch>,
}

impl<P: Program> NativeServer<P> {
    /// Makes an empty server and starts it on a free port.
    pub(crate) fn start(mut program: P, ready_within: Duration) -> Result<Self, HarnessError> {
        let identity = Identity::for_server(P::USER)?;
        let scratch = Arc::new(Scratch::new()?);
        program.initialise(&identity, &data_folder(&scratch))?;
        program.choose_ports(&identity, &data_folder(&scratch))?;
        let mut port = port::free_port()?;
        let mut server = Self {
            process: launch(&program, &identity, port, &scratch)?,
            program,
            identity,
            port,
            ready_within,
            scratch,
        };
        let mut tries_left = PORT_TRIES;
        loop {
            tries_left -= 1;
            match server.wait_ready() {
                Ok(()) => return Ok(server),
                Err(error) if tries_left > 0 && is_port_taken(&error) => {
                    port = port::free_port()?;
                    server.port = port;
                    let data = server.data_folder();
                    server.program.choose_ports(&server.identity, &data)?;
                    server.process = launch(&server.program, &server.identity, port, &server.scratch)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn program(&self) -> &P {
        &self.program
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        data_folder(&self.scratch)
    }

    pub(crate) fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    pub(crate) fn kill(&mut self) -> Result<(), HarnessError> {
        self.process.kill9()
    }

    pub(crate) fn freeze(&self) -> Result<(), HarnessError> {
        self.process.freeze()
    }

    pub(crate) fn thaw(&self) {
        self.process.thaw();
    }

    pub(crate) fn stop(&mut self) -> Result<(), HarnessError> {
        self.process.thaw();
        self.process.signal(P::STOP)?;
        self.process.wait_timeout(STOP_WITHIN).map(drop)
    }

    pub(crate) fn restart(&mut self) -> Result<(), HarnessError> {
        if self.process.try_wait()?.is_none() {
            self.stop()?;
        }
        self.process = launch(&self.program, &self.identity, self.port, &self.scratch)?;
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<(), HarnessError> {
        let data = self.data_folder();
        let deadline = Instant::now() + self.ready_within;
        loop {
            if self.program.is_ready(&data, self.port, self.pid()) {
                return Ok(());
            }
            let what = || format!("{} on port {}", P::NAME, self.port);
            if let Some(status) = self.process.try_wait()? {
                return Err(HarnessError::EndedEarly {
                    what: what(),
                    status,
                    log_tail: self.log_tail(),
                });
            }
            if Instant::now() >= deadline {
                return Err(HarnessError::NotReady {
                    what: what(),
                    waited: self.ready_within,
                    log_tail: self.log_tail(),
                });
            }
            std::thread::sleep(READY_POLL);
        }
    }
}

fn data_folder(scratch: &Scratch) -> PathBuf {
    scratch.path().join("data")
}

fn launch<P: Program>(
    program: &P,
    identity: &Identity,
    port: u16,
    scratch: &Arc<Scratch>,
) -> Result<ChildProcess, HarnessError> {
    let data = data_folder(scratch);
    let mut command = program.command(&data, port);
    command.current_dir(&data).env("LC_ALL", "C");
    ChildProcess::spawn_as(&command, identity, scratch)
}

fn is_port_taken(error: &HarnessError) -> bool {
    // Erlang has a word of its own for it.
    let says_so = |log: &str| {
        ["Address already in use", "eaddrinuse"]
            .iter()
            .any(|text| log.contains(text))
    };
    matches!(error, HarnessError::EndedEarly { log_tail, .. } if says_so(log_tail))
}
