//! A private server in a container: does what one from programs on the machine does.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::container::ContainerImage;
use crate::container::helper::{Helper, Order};
use crate::container::protocol::{Kind, Request, State};
use crate::{HarnessError, port, probe};

/// Somebody may take the port between the look and the start.
const PORT_TRIES: usize = 5;

const READY_POLL: Duration = Duration::from_millis(10);

/// How often the engine is asked whether a server that doesn't answer yet still runs.
const STATE_EVERY: Duration = Duration::from_millis(200);

/// A running server, its data and its port. Gone with its data when the value is dropped or the test process ends.
#[derive(Debug)]
pub(crate) struct ContainerServer {
    // `freeze` and `log_tail` need no more than `&self`, as with processes.
    helper: Mutex<Helper>,
    kind: Kind,
    image: String,
    host: String,
    port: u16,
    ready_within: Duration,
}

impl ContainerServer {
    /// Starts a container with a port of ours.
    pub(crate) fn start(
        kind: Kind,
        image: &ContainerImage,
        settings: &[(String, String)],
        ready_within: Duration,
    ) -> Result<Self, HarnessError> {
        let mut tries_left = PORT_TRIES;
        loop {
            tries_left -= 1;
            let port = port::free_port()?;
            let order = Order {
                kind,
                image,
                port,
                settings,
            };
            match Helper::start(&order) {
                Ok(helper) => {
                    let server = Self {
                        host: helper.host().to_owned(),
                        helper: Mutex::new(helper),
                        kind,
                        image: image.image.clone(),
                        port,
                        ready_within,
                    };
                    server.wait_ready()?;
                    return Ok(server);
                }
                Err(error) if tries_left > 0 && is_port_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The server's process, as the engine's machine numbers it; 0 when it doesn't run.
    pub(crate) fn pid(&self) -> u32 {
        match self.state() {
            Ok(State::Running(pid)) => pid,
            _ => 0,
        }
    }

    pub(crate) fn log_tail(&self) -> String {
        self.ask(Request::Log)
            .unwrap_or_else(|error| format!("(no log: {error})"))
    }

    pub(crate) fn kill(&self) -> Result<(), HarnessError> {
        match self.state()? {
            State::Running(_) => self.ask(Request::Kill).map(drop),
            State::Ended(_) => Ok(()),
        }
    }

    pub(crate) fn freeze(&self) -> Result<(), HarnessError> {
        self.ask(Request::Pause).map(drop)
    }

    /// One that isn't frozen is refused by the engine, which is as well.
    pub(crate) fn thaw(&self) {
        let _ = self.ask(Request::Unpause);
    }

    pub(crate) fn stop(&self) -> Result<(), HarnessError> {
        self.thaw();
        self.ask(Request::Stop).map(drop)
    }

    pub(crate) fn restart(&self) -> Result<(), HarnessError> {
        if matches!(self.state()?, State::Running(_)) {
            self.stop()?;
        }
        self.ask(Request::Start)?;
        self.wait_ready()
    }

    fn state(&self) -> Result<State, HarnessError> {
        self.ask(Request::State)?.parse()
    }

    fn ask(&self, request: Request) -> Result<String, HarnessError> {
        self.helper().ask(request)
    }

    fn helper(&self) -> MutexGuard<'_, Helper> {
        self.helper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The official images fill the data folder with a server that listens on no port, so what answers there is the
    /// real one.
    fn wait_ready(&self) -> Result<(), HarnessError> {
        let what = || format!("{} in a container", self.image);
        let deadline = Instant::now() + self.ready_within;
        let mut next_state = Instant::now() + STATE_EVERY;
        loop {
            let answers = match self.kind {
                Kind::Postgres => probe::postgres(&self.host, self.port),
                Kind::Mysql => probe::mysql(&self.host, self.port),
                Kind::Redis => probe::redis(&self.host, self.port),
            };
            if answers {
                return Ok(());
            }
            let now = Instant::now();
            if now >= next_state {
                next_state = now + STATE_EVERY;
                if let State::Ended(code) = self.state()? {
                    return Err(HarnessError::EndedEarly {
                        what: what(),
                        // As wait(2) has it: the code is the second byte.
                        status: ExitStatus::from_raw(i32::from(code) << 8),
                        log_tail: self.log_tail(),
                    });
                }
            }
            if now >= deadline {
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

fn is_port_taken(error: &HarnessError) -> bool {
    let words = ["port is already allocated", "address already in use"];
    matches!(error, HarnessError::Container(reason) if words.iter().any(|word| reason.contains(word)))
}
