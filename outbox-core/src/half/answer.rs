use std::error::Error;
use std::sync::Arc;

/// What a checker knows of the local work that belongs to a half message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckAnswer {
    /// It is done, for good: the message is committed.
    Committed,
    /// It is not done and *can't be done any more*: the message is rolled back.
    RolledBack,
    /// It may still be running, or there is no trace of it: the message is asked after again, and parked after the last
    /// check.
    Unknown,
}

impl CheckAnswer {
    /// The answer as a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a checker has no answer: what it has to ask can't be reached. It costs the message no check.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CheckError {
    message: Arc<str>,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl CheckError {
    /// The text is stored with the message and shown to operators: it must not hold the payload.
    pub fn new(message: impl Into<Arc<str>>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}
