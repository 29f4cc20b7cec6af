//! What can go wrong while servers and processes are handled.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// A server or process did not do what the test asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// A program is not on this machine.
    #[error("program `{program}` was not found (looked in {looked_in})")]
    ProgramNotFound {
        /// The name that was searched for.
        program: String,
        /// The places that were searched.
        looked_in: String,
    },
    /// Servers refuse to run as root, and there is no other user to run them as.
    #[error("running as root, but neither user `{own_user}` nor user `nobody` exists to run a server as")]
    NoUserForServers {
        /// The user that the server's packages make.
        own_user: &'static str,
    },
    /// The operating system refused something.
    #[error("could not {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A program ran to its end and failed.
    #[error("`{program}` failed with {status}:\n{output}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// A server ended before it was ready.
    #[error("{what} ended with {status} before it was ready; its log ends with:\n{log_tail}")]
    EndedEarly {
        /// Which server.
        what: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A server was not ready in time.
    #[error("{what} was not ready after {waited:?}; its log ends with:\n{log_tail}")]
    NotReady {
        /// Which server.
        what: String,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A process still ran at the deadline.
    #[error("{what} was still running after {waited:?}; its log ends with:\n{log_tail}")]
    StillRunning {
        /// Which process.
        what: String,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A process printed no further line before the deadline.
    #[error("{what} printed no line within {waited:?}; its log ends with:\n{log_tail}")]
    NoLine {
        /// Which process.
        what: String,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A server answered, and the answer is no.
    #[error("the server refused: {0}")]
    Refused(String),
    /// A setting or an address can't be used.
    #[error("{0}")]
    BadInput(String),
    /// No free port was found.
    #[error("no free port among {tried} tried on 127.0.0.1 (ports {lowest} to {highest})")]
    NoFreePort {
        /// How many were tried.
        tried: usize,
        /// Lower end of the range.
        lowest: u16,
        /// Upper end of the range.
        highest: u16,
    },
    /// A container engine, or the helper that talks to it, refused something.
    #[error("no container: {0}")]
    Container(String),
    /// A data folder was initialised, yet lacks what it should have.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
}

impl HarnessError {
    /// For `map_err`: keeps the system's answer and says what was tried.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
