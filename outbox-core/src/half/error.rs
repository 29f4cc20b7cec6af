use std::error::Error;
use std::sync::Arc;

use super::state::HalfState;
use crate::message::{MessageError, MessageId};

/// What can't be done with a half message as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HalfError {
    /// The message is out of bounds. Nothing was written.
    #[error("the message can't be prepared")]
    Message(#[source] MessageError),
    /// A message of this id was prepared before. Where the outcome of that call was lost, this is the answer to it.
    #[error("message {id} was prepared before, and is {state}")]
    PreparedBefore {
        /// The message.
        id: MessageId,
        /// Its state.
        state: HalfState,
    },
    /// There is no such message.
    #[error("there is no half message {id}: it was never prepared, or ended longer ago than is remembered")]
    NotPrepared {
        /// The message.
        id: MessageId,
    },
    /// It has ended otherwise; nothing was changed.
    #[error("message {id} is {state} already, and can't be {asked} any more")]
    Ended {
        /// The message.
        id: MessageId,
        /// How it ended: committed, rolled back or discarded.
        state: HalfState,
        /// What was asked for.
        asked: HalfState,
    },
    /// Operators decide only about what the check-back has given up on.
    #[error("message {id} is {state} and not parked: its producer, or the check-back, decides")]
    NotParked {
        /// The message.
        id: MessageId,
        /// Its state.
        state: HalfState,
    },
    /// A discard needs a reason, because it is a message that is never delivered.
    #[error("discarding a half message needs a reason")]
    ReasonEmpty,
    /// An operator's decision needs a name.
    #[error("an operator's decision needs the name of who decides")]
    ByEmpty,
    /// A text too long to be stored as it is.
    #[error("{what} has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// How many it has.
        bytes: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The queue takes nothing now: it is full or closed. Nothing was changed.
    #[error("{reason}")]
    Unavailable {
        /// What keeps it.
        reason: Arc<str>,
    },
    /// A setting that can't be.
    #[error("{setting} is {value}, and must be {bounds}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was asked for.
        value: String,
        /// What may be asked for.
        bounds: &'static str,
    },
    /// The store can't be reached, or refused. Whether it was done is not known: ask the same again, and the answer tells.
    #[error("{doing} failed")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Whether the same may succeed when it is tried again.
        retryable: bool,
        /// What the store said.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl HalfError {
    pub(super) fn setting(setting: &'static str, value: String, bounds: &'static str) -> Self {
        Self::Setting {
            setting,
            value,
            bounds,
        }
    }

    /// Whether the same may succeed when it is tried again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store { retryable, .. } => *retryable,
            Self::Unavailable { .. } => true,
            _ => false,
        }
    }
}
