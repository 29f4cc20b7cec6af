use std::time::SystemTime;

use async_trait::async_trait;
use outbox_core::Message;

use crate::error::BrokerError;

/// A message that a consumer group could not handle.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its place among the dead letters, by which it is redriven or discarded. What it looks like is the engine's affair.
    pub reference: String,
    /// The message as it was published.
    pub message: Message,
    /// How often it was tried.
    pub attempts: u32,
    /// What was wrong the last time, on one line, 2,048 bytes at most.
    pub error: String,
    /// When it was given up.
    pub died_at: SystemTime,
}

/// The dead letters of one consumer group. They are kept until somebody decides, however old they get.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// At most `limit` of them, the oldest first, after the one with the reference `after`.
    ///
    /// # Errors
    /// A reference that can't be one; the engine refuses or can't be reached.
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError>;

    /// Sends one to its group again, and to no other one. Its attempts begin anew, and its place in its key's order is the newest.
    /// False: there is none.
    ///
    /// # Errors
    /// As [`list`](Self::list). It may have been sent then; do it again: consumers drop what they have had.
    async fn redrive(&self, reference: &str) -> Result<bool, BrokerError>;

    /// Removes one for good. False: there is none.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    async fn discard(&self, reference: &str) -> Result<bool, BrokerError>;
}

/// Longer error texts are cut.
#[cfg(feature = "engine")]
const ERROR_BYTES_MAX: usize = 2_048;

/// An error's text on one line, or as much of it as is kept.
#[cfg(feature = "engine")]
pub(crate) fn kept_text(error: &str) -> String {
    let mut end = error.len().min(ERROR_BYTES_MAX);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error[..end].replace(|c: char| c.is_control(), " ")
}
