use std::sync::Arc;

use outbox_core::MessageError;

use super::topics::MAX_QUEUES;
use transaction_scope::{TransactionError, is_retryable};

use crate::error::OutboxError;

/// What a [`SqlQueue`](super::SqlQueue) can't do as asked. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The database can't be reached, or refused.
    #[error("{doing} failed")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A transaction could not be begun or committed; or, of a commit, its outcome is unknown. Or an operator did not say
    /// who he is, or why he discards.
    #[error(transparent)]
    Transaction(#[from] OutboxError),
    /// A topic can't be named so.
    #[error("a topic can't have this name")]
    TopicName(#[source] MessageError),
    /// A group is known by its name.
    #[error("the consumer group's name is empty")]
    GroupUnnamed,
    /// A name too long to be stored as it is.
    #[error("the consumer group's name has {bytes} bytes, at most {max} are allowed")]
    GroupTooLong {
        /// How many it has.
        bytes: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A member without topics would wait for ever.
    #[error("group {group:?} subscribes to no topic")]
    NoTopics {
        /// The group.
        group: String,
    },
    /// A topic has at least one queue, and at most 1,024.
    #[error("topic {topic:?} can't have {queues} queues: 1 to {MAX_QUEUES} are allowed")]
    QueuesOutOfRange {
        /// The topic.
        topic: String,
        /// How many were asked for.
        queues: u32,
    },
    /// The topic is there with another number of queues. It can grow, by `grow_topic`.
    #[error("topic {topic:?} has {queues} queues already and not {asked}; more can be had by grow_topic")]
    TopicExists {
        /// The topic.
        topic: String,
        /// How many queues it has.
        queues: u32,
        /// How many were asked for.
        asked: u32,
    },
    /// Fewer queues would tear keys from their order.
    #[error("topic {topic:?} has {queues} queues and can't shrink to {asked}")]
    TopicShrinks {
        /// The topic.
        topic: String,
        /// How many queues it has.
        queues: u32,
        /// How many were asked for.
        asked: u32,
    },
    /// There is no such topic.
    #[error("there is no topic {topic:?}")]
    UnknownTopic {
        /// What was asked for.
        topic: String,
    },
    /// There is no such group.
    #[error("there is no consumer group {group:?}")]
    UnknownGroup {
        /// What was asked for.
        group: String,
    },
    /// The group is there, and not for this topic.
    #[error("consumer group {group:?} does not subscribe to topic {topic:?}")]
    NotSubscribed {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
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
}

impl From<TransactionError> for QueueError {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error.into())
    }
}

impl QueueError {
    /// Wraps what the driver said while doing something.
    pub(super) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database {
            doing,
            source: Arc::new(source),
        }
    }

    /// Whether the same may succeed when it is tried again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_retryable(source),
            Self::Transaction(error) => error.is_retryable(),
            _ => false,
        }
    }
}
