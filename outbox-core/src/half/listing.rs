use std::time::SystemTime;

use super::state::HalfState;
use crate::message::MessageId;

/// A half message as an operator sees it, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HalfMessage {
    /// The message's id.
    pub id: MessageId,
    /// Its topic.
    pub topic: String,
    /// Its key.
    pub key: Option<String>,
    /// Where it is.
    pub state: HalfState,
    /// How many checks were answered since it was prepared, or redriven.
    pub checks: u32,
    /// When it was prepared, by the store's clock.
    pub prepared_at: SystemTime,
    /// When it is asked after next; only of a prepared one. While a check is running, when that is given up.
    pub next_check_at: Option<SystemTime>,
    /// What the last check said, or why there was none.
    pub last_error: Option<String>,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// Which operator ended it.
    pub ended_by: Option<String>,
    /// Why it was discarded.
    pub reason: Option<String>,
}

impl HalfMessage {
    /// Of a message that was just prepared; a store sets the rest.
    pub fn new(id: MessageId, topic: String, prepared_at: SystemTime) -> Self {
        Self {
            id,
            topic,
            key: None,
            state: HalfState::Prepared,
            checks: 0,
            prepared_at,
            next_check_at: None,
            last_error: None,
            ended_at: None,
            ended_by: None,
            reason: None,
        }
    }
}

/// Which half messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HalfFilter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only in this state; `None`: also those that have ended and are remembered.
    pub state: Option<HalfState>,
    /// Only after this one, of the page before.
    pub after: Option<MessageId>,
}

impl HalfFilter {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of this topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only in this state.
    #[must_use]
    pub fn state(mut self, state: HalfState) -> Self {
        self.state = Some(state);
        self
    }

    /// Only after this one.
    #[must_use]
    pub fn after(mut self, id: MessageId) -> Self {
        self.after = Some(id);
        self
    }
}
