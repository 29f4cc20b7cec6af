//! What every client of ours has in common: where and who, and what it says.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The last thing that a client complained about. Its errors say that something timed out; this says why.
#[derive(Clone, Default)]
pub(super) struct Complaint(Arc<Mutex<Option<String>>>);

impl Complaint {
    pub(super) fn set(&self, text: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    /// The error, and what the client complained about last.
    pub(super) fn explain(&self, error: &KafkaError) -> String {
        let error = text(error);
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(complaint) => format!("{error} ({complaint})"),
            None => error,
        }
    }
}

/// What the server or the client says, without the words around it.
pub(super) fn text(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}

impl ClientContext for Complaint {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        // It follows from what was said of each, and says less.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.set(reason);
        }
    }
}

/// The client's own log.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel as Level;
    match level {
        Level::Emerg | Level::Alert | Level::Critical => tracing::error!(facility, "{message}"),
        // It comes back by itself, and whoever asks is told.
        Level::Error | Level::Warning => tracing::debug!(facility, "{message}"),
        Level::Notice | Level::Info | Level::Debug => tracing::trace!(facility, "{message}"),
    }
}

/// Sets several properties.
pub(super) fn with(config: &ClientConfig, properties: &[(&str, String)]) -> ClientConfig {
    let mut config = config.clone();
    for (name, value) in properties {
        config.set(*name, value.as_str());
    }
    config
}
