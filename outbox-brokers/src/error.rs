use std::sync::Arc;

/// Why an engine can't be used so, or at this moment.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The URL can't be read.
    #[error("the broker's URL can't be used: {reason}")]
    Url {
        /// What is wrong with it. Never what it says of users and passwords.
        reason: String,
    },
    /// A setting can't be.
    #[error("{setting} can't be {value}: {reason}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that messages go through is not there, and is not to be made.
    #[error("there is no {what} {name:?}: {remedy}")]
    Missing {
        /// What the engine calls it: stream, exchange, topic.
        what: &'static str,
        /// Its name.
        name: String,
        /// How it comes to be.
        remedy: String,
    },
    /// Something that messages go through is there, and is not as it has to be.
    #[error("the {what} {name:?} can't be used: {reason}")]
    Unfit {
        /// What the engine calls it.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is, and what should be.
        reason: String,
    },
    /// The server refused, or can't be reached.
    #[error("{doing} failed: {message}")]
    Server {
        /// What was being done.
        doing: &'static str,
        /// What was said.
        message: String,
        /// The cause.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
}

impl BrokerError {
    /// What the client said.
    #[cfg(feature = "engine")]
    pub(crate) fn server<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |error| Self::Server {
            doing,
            message: error.to_string(),
            source: Some(Arc::new(error)),
        }
    }

    #[cfg(feature = "engine")]
    pub(crate) fn setting(setting: &'static str, value: impl ToString, reason: impl ToString) -> Self {
        Self::Setting {
            setting,
            value: value.to_string(),
            reason: reason.to_string(),
        }
    }
}
