//! What can go wrong with a lock.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::LockKey;

/// A lock can't say.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// It doesn't answer, can't be reached, or can't take more. Go on without the lock.
    #[error("the lock is unavailable")]
    Unavailable(#[source] Unavailable),
    /// A lease, or the time to keep a done mark, is out of range.
    #[error("{what} must be from {least:?} to {most:?}, and not {given:?}")]
    Duration {
        /// Which of them.
        what: &'static str,
        /// What was given.
        given: Duration,
        /// The least that is possible.
        least: Duration,
        /// The most that is possible.
        most: Duration,
    },
    /// Under the key's name stands what is neither a lock nor a done mark: somebody else uses it.
    #[error("what is stored for {key} is neither a lock nor a done mark")]
    Foreign {
        /// The key.
        key: LockKey,
    },
    /// A URL can't be used. It is not repeated here: it may hold a password.
    #[error("the URL can't be used: {part} {problem}")]
    Url {
        /// Which part of it is wrong.
        part: UrlPart,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A setting can't be used.
    #[error("{name} {problem}")]
    Setting {
        /// Which setting, by the name of its method.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl LockError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Duration { .. } | Self::Foreign { .. } | Self::Url { .. } | Self::Setting { .. } => false,
        }
    }
}

/// Why a lock is unavailable.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// It failed a moment ago and isn't asked again yet. This answer comes at once.
    #[error("it failed and is left alone for another {left:?}")]
    Resting {
        /// How long it will be.
        left: Duration,
    },
    /// It said nothing in time. What it was asked for may have been done.
    #[error("it didn't answer within {waited:?}")]
    NoAnswer {
        /// How long it was waited for.
        waited: Duration,
    },
    /// It has no room for one more key.
    #[error("its memory is full")]
    Full,
    /// It can't be reached, or refuses.
    #[error("it failed")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
}

impl From<Unavailable> for LockError {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

/// A part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlPart {
    /// What stands before `://`.
    Scheme,
    /// The name before the password.
    User,
    /// What stands between the user and `@`.
    Password,
    /// The name or address of a server.
    Host,
    /// The number after a host.
    Port,
    /// What stands after the hosts: the number of a database, or the name of a master.
    Path,
    /// What stands after `?`.
    Query,
}

impl fmt::Display for UrlPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "its scheme",
            Self::User => "its user",
            Self::Password => "its password",
            Self::Host => "a host of it",
            Self::Port => "a port of it",
            Self::Path => "its path",
            Self::Query => "its query",
        })
    }
}
